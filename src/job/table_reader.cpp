#include "job/table_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"

namespace moonshift::job {

using base::ConfigError;

toml::table parse_toml(const std::string& path) {
  try {
    return toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    throw ConfigError(fmt::format("{}: {}", position(path, error.source()), error.description()));
  }
}

std::string position(const std::string& path, const toml::source_region& region) {
  return fmt::format("{}:{}:{}", path, region.begin.line, region.begin.column);
}

void TableReader::allow(std::vector<std::string> known) const {
  for (const auto& [key, node] : table_) {
    const std::string text(key.str());
    if (std::find(known.begin(), known.end(), text) != known.end()) continue;
    throw ConfigError(fmt::format("{}: unknown key '{}' in {}{}; it may have: {}",
                                  position(path_, key.source()), text, name_,
                                  base::did_you_mean(text, known), base::join(known)));
  }
}

std::string TableReader::place(std::string_view key) const {
  const toml::node* node = find(key);
  return position(path_, node == nullptr ? table_.source() : node->source());
}

std::string TableReader::text(std::string_view key, bool required) const {
  const toml::node* node = find(key);
  if (node == nullptr) {
    if (required) fail_at(table_, fmt::format("{} needs '{}'", name_, key));
    return "";
  }
  const auto* value = node->as_string();
  if (value == nullptr) fail_at(*node, fmt::format("{} must be text in quotes", key));
  return value->get();
}

std::optional<base::Duration> TableReader::duration(std::string_view key) const {
  if (find(key) == nullptr) return std::nullopt;
  try {
    return base::parse_duration(text(key));
  } catch (const ConfigError& error) {
    const std::string what = error.what();
    if (what.starts_with(path_)) throw;
    fail_at(*find(key), fmt::format("{}: {}", key, what));
  }
}

std::int64_t TableReader::integer(std::string_view key, std::int64_t fallback) const {
  const toml::node* node = find(key);
  if (node == nullptr) return fallback;
  const auto* value = node->as_integer();
  if (value == nullptr || value->get() < 1)
    fail_at(*node, fmt::format("{} must be a whole number above 0", key));
  return value->get();
}

std::optional<double> TableReader::number_above_zero(std::string_view key) const {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->value<double>();
  if (!node->is_number() || !value || !std::isfinite(*value) || *value <= 0)
    fail_at(*node, fmt::format("{} must be a number above 0", key));
  return value;
}

void TableReader::checked(std::string_view key, const std::function<void()>& check) const {
  try {
    check();
  } catch (const ConfigError& error) {
    fail_at(*find(key), fmt::format("{}: {}", key, error.what()));
  }
}

void TableReader::fail_at(const toml::node& node, const std::string& what) const {
  throw ConfigError(fmt::format("{}: {}", position(path_, node.source()), what));
}

}  // namespace moonshift::job
