#pragma once

#include <filesystem>
#include <string>

#include "task/catalog.hpp"
#include "task/run.hpp"

namespace moonshift::test {

/// A directory of scripts of the test's own, removed at its end.
class ScriptDirectory {
 public:
  ScriptDirectory();
  ~ScriptDirectory();
  ScriptDirectory(const ScriptDirectory&) = delete;
  ScriptDirectory& operator=(const ScriptDirectory&) = delete;

  /// `name` as in `bullmq/clean`.
  void write(const std::string& name, const std::string& text) const;

  const std::filesystem::path& path() const { return path_; }
  task::Catalog catalog() const { return task::Catalog(path_); }

 private:
  std::filesystem::path path_;
};

/// Runs the task `text` against an endpoint.
task::RunResult run_text(const std::string& text, const redis::Endpoint& endpoint,
                         const task::RunOptions& options = {},
                         const task::GivenParameters& given = {});

}  // namespace moonshift::test
