#pragma once

#include <string>
#include <vector>

#include "task/catalog.hpp"

namespace moonshift::task {

/// A task, the libraries it requires and the prelude as one script for EVALSHA. It has no `#!lua`
/// line: above maxmemory Redis refuses those altogether, but lets a plain script delete.
class Bundle {
 public:
  /// Throws ConfigError if a library is missing.
  Bundle(const Source& task, const Catalog& catalog);

  const std::string& text() const { return text_; }

  /// The server speaks of `user_script:<line>:`; this speaks of the author's file and line.
  std::string map_error(const std::string& error) const;

 private:
  struct Part {
    int first_line;  ///< in the bundle, from 1
    int lines;
    std::string path;
  };

  void append(const std::string& path, const std::string& source);

  std::string text_;
  int lines_ = 0;
  std::vector<Part> parts_;
};

}  // namespace moonshift::task
