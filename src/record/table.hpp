#pragma once

#include <string>
#include <vector>

namespace moonshift::record {

/// Lines of text in columns. A column whose cells all begin with a digit or a minus is set to the
/// right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { add(std::move(header)); }

  /// Control characters in it, line feeds too, are shown as base::printable() has them.
  void add(std::vector<std::string> row);

  /// Ends with a line feed.
  std::string to_text() const;

 private:
  std::size_t width(std::size_t column) const;
  bool is_numeric(std::size_t column) const;

  std::vector<std::vector<std::string>> rows_;  ///< the first is the header
};

}  // namespace moonshift::record
