#include "task/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "task/embedded.hpp"

namespace moonshift::task {

namespace {

namespace fs = std::filesystem;
using base::ConfigError;

constexpr std::string_view kFolder = "scripts/";
constexpr std::string_view kSuffix = ".lua";
constexpr std::string_view kLibraries = "lib/";

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || !fs::is_regular_file(path))
    throw ConfigError(fmt::format("{}: the file cannot be read", path.string()));
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_path(const std::string& name) {
  return name.ends_with(kSuffix) || name.starts_with('.') || name.starts_with('/');
}

std::string name_of(std::string_view path) {
  return std::string(path.substr(0, path.size() - kSuffix.size()));
}

}  // namespace

std::string_view embedded_file(std::string_view path) {
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.path == path) return file.text;
  }
  throw std::logic_error(fmt::format("{} is not embedded", path));
}

std::vector<std::string> Source::documentation() const {
  std::vector<std::string> lines;
  std::string_view rest = text;
  while (rest.starts_with("---")) {
    const auto end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(3, end - 3);
    if (line.starts_with(' ')) line.remove_prefix(1);
    lines.emplace_back(line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

Catalog::Catalog(std::optional<fs::path> directory) : directory_(std::move(directory)) {
  if (directory_ && !fs::is_directory(*directory_)) {
    throw ConfigError(
        fmt::format("--scripts {}: there is no such directory", directory_->string()));
  }
}

std::optional<Source> Catalog::read(const std::string& name) const {
  if (directory_) {
    const fs::path path = *directory_ / (name + std::string(kSuffix));
    if (fs::is_regular_file(path)) return Source{name, path.string(), read_file(path)};
  }
  const std::string path = fmt::format("{}{}{}", kFolder, name, kSuffix);
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.path == path) return Source{name, path, std::string(file.text)};
  }
  return std::nullopt;
}

Source Catalog::script(const std::string& name) const {
  if (is_path(name)) return {name, name, read_file(name)};
  if (!name.starts_with(kLibraries)) {
    if (auto source = read(name)) return *source;
  }
  throw ConfigError(fmt::format("there is no script '{}'{}: `moonshift scripts` lists them all",
                                name, base::did_you_mean(name, names())));
}

Source Catalog::library(const std::string& name) const {
  std::string path = name;
  std::replace(path.begin(), path.end(), '.', '/');
  if (path.starts_with(kLibraries)) {
    if (auto source = read(path)) return *source;
  }
  throw ConfigError(fmt::format("require '{}': there is no such library{}", name,
                                base::did_you_mean(name, libraries())));
}

std::vector<std::string> Catalog::names() const {
  auto names = all_names();
  std::erase_if(names, [](const std::string& name) { return name.starts_with(kLibraries); });
  return names;
}

std::vector<std::string> Catalog::libraries() const {
  std::vector<std::string> names;
  for (const std::string& name : all_names()) {
    if (name.starts_with(kLibraries)) names.push_back("lib." + name.substr(kLibraries.size()));
  }
  return names;
}

std::vector<std::string> Catalog::all_names() const {
  std::set<std::string> names;
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.path.starts_with(kFolder)) names.insert(name_of(file.path.substr(kFolder.size())));
  }
  if (directory_) {
    for (const auto& entry : fs::recursive_directory_iterator(*directory_)) {
      if (entry.path().extension() == kSuffix) {
        names.insert(name_of(entry.path().lexically_relative(*directory_).generic_string()));
      }
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace moonshift::task
