#include "record/table.hpp"

#include <algorithm>
#include <cctype>
#include <limits>

#include "base/text.hpp"

namespace moonshift::record {

namespace {

/// Columns on a terminal: continuation bytes of UTF-8 take none.
std::size_t columns_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

void Table::add(std::vector<std::string> row) {
  for (std::string& cell : row)
    cell = base::printable(cell, std::numeric_limits<std::size_t>::max());
  rows_.push_back(std::move(row));
}

std::size_t Table::width(std::size_t column) const {
  std::size_t most = 0;
  for (const auto& row : rows_) most = std::max(most, columns_of(row[column]));
  return most;
}

bool Table::is_numeric(std::size_t column) const {
  return std::all_of(
             rows_.begin() + 1, rows_.end(),
             [&](const auto& row) {
               const std::string& cell = row[column];
               return !cell.empty() &&
                      (std::isdigit(static_cast<unsigned char>(cell[0])) != 0 || cell[0] == '-');
             }) &&
         rows_.size() > 1;
}

std::string Table::to_text() const {
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string padding(width(column) - columns_of(row[column]), ' ');
      if (column > 0) line += "  ";
      line += is_numeric(column) ? padding + row[column] : row[column] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace moonshift::record
