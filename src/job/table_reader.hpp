#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/duration.hpp"

namespace moonshift::job {

/// The whole of a TOML file. Throws ConfigError at file:line:column.
toml::table parse_toml(const std::string& path);

/// `file:line:column`
std::string position(const std::string& path, const toml::source_region& region);

/// One table of a file, read key by key: unknown keys and wrong types are errors at their place.
/// What is given to it must outlive it.
class TableReader {
 public:
  TableReader(const std::string& path, const toml::table& table, std::string name)
      : path_(path), table_(table), name_(std::move(name)) {}

  const std::string& path() const { return path_; }

  /// Says which keys there may be; to be called before any is read.
  void allow(std::vector<std::string> known) const;

  const toml::node* find(std::string_view key) const { return table_.get(key); }

  /// file:line:column of the key's value, or of the table if it has none.
  std::string place(std::string_view key) const;

  std::string text(std::string_view key, bool required = false) const;
  std::optional<base::Duration> duration(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  std::optional<double> number_above_zero(std::string_view key) const;

  /// Runs `check` on a key's value; the ConfigError that it throws is told at the value's place.
  void checked(std::string_view key, const std::function<void()>& check) const;

  [[noreturn]] void fail_at(const toml::node& node, const std::string& what) const;

 private:
  const std::string& path_;
  const toml::table& table_;
  std::string name_;
};

}  // namespace moonshift::job
