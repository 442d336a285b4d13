#include "lua/script_error.hpp"

#include <sstream>

namespace moonshift::lua {

std::string tidy_traceback(const std::string& traceback) {
  std::istringstream lines(traceback);
  std::string tidy;
  for (std::string line; std::getline(lines, line);) {
    const auto start = line.find_first_not_of(" \t");
    if (start == std::string::npos || line.starts_with("stack traceback")) continue;
    const std::string_view frame = std::string_view(line).substr(start);
    if (frame.starts_with("[C]") || frame.starts_with("moonshift:") ||
        frame.starts_with("[builtin"))
      continue;
    tidy += tidy.empty() ? "" : "\n";
    tidy += frame;
  }
  return tidy;
}

}  // namespace moonshift::lua
