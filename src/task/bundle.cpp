#include "task/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/parse.hpp"
#include "task/embedded.hpp"

namespace moonshift::task {

namespace {

/// The libraries that a source names in `require "lib.x"`, in their order.
std::vector<std::string> required_by(const std::string& source) {
  static const std::regex pattern(R"(require\s*\(?\s*["'](lib\.[\w.]+)["'])");
  std::vector<std::string> names;
  for (auto match = std::sregex_iterator(source.begin(), source.end(), pattern);
       match != std::sregex_iterator(); ++match) {
    names.push_back((*match)[1]);
  }
  return names;
}

/// Those and what they require themselves, each once.
void collect_libraries(const std::string& source, const Catalog& catalog,
                       std::vector<Source>& libraries) {
  for (const std::string& name : required_by(source)) {
    const bool known = std::any_of(libraries.begin(), libraries.end(),
                                   [&](const Source& library) { return library.name == name; });
    if (known) continue;
    Source library = catalog.library(name);
    library.name = name;
    libraries.push_back(library);
    collect_libraries(library.text, catalog, libraries);
  }
}

}  // namespace

Bundle::Bundle(const Source& task, const Catalog& catalog) {
  append("moonshift", std::string(embedded_file("src/task/prelude.lua")));
  std::vector<Source> libraries;
  collect_libraries(task.text, catalog, libraries);
  for (const Source& library : libraries) {
    append("moonshift", fmt::format("modules[\"{}\"] = function(...)", library.name));
    append(library.path, library.text);
    append("moonshift", "end");
  }
  append("moonshift", "local declared = (function(...)");
  append(task.path, task.text);
  append("moonshift", "end)()");
  append("moonshift", std::string(embedded_file("src/task/epilogue.lua")));
}

void Bundle::append(const std::string& path, const std::string& source) {
  const int lines = static_cast<int>(std::count(source.begin(), source.end(), '\n')) + 1;
  parts_.push_back({lines_ + 1, lines, path});
  text_ += source;
  text_ += '\n';
  lines_ += lines;
}

std::string Bundle::map_error(const std::string& error) const {
  static const std::regex position(R"((?:@?user_script):(\d+))");
  std::string mapped;
  auto rest = error.begin();
  for (auto match = std::sregex_iterator(error.begin(), error.end(), position);
       match != std::sregex_iterator(); ++match) {
    const int line = base::parse_number<int>((*match)[1].str()).value_or(0);
    const auto part = std::find_if(parts_.begin(), parts_.end(), [&](const Part& candidate) {
      return line >= candidate.first_line && line < candidate.first_line + candidate.lines;
    });
    mapped.append(rest, (*match)[0].first);
    mapped += part == parts_.end() ? (*match)[0].str()
                                   : fmt::format("{}:{}", part->path, line - part->first_line + 1);
    rest = (*match)[0].second;
  }
  return mapped.append(rest, error.end());
}

}  // namespace moonshift::task
