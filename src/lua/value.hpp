#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace moonshift::lua {

/// Plain data as it crosses between C++ and scripts: no functions, no cycles. Strings are bytes.
struct Value {
  using List = std::vector<Value>;
  using Record = std::map<std::string, Value>;

  std::variant<std::monostate, bool, double, std::string, List, Record> data;

  Value() = default;
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, Value>) Value(T&& plain)
      : data(std::forward<T>(plain)) {}  // NOLINT: converts on purpose

  bool is_nil() const { return std::holds_alternative<std::monostate>(data); }

  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }

  /// The text, or "" if this is no string.
  std::string text() const { return as<std::string>() ? *as<std::string>() : std::string(); }

  /// The field of a record, or nil.
  const Value& operator[](const std::string& field) const {
    static const Value nil;
    const auto* record = as<Record>();
    const auto found = record ? record->find(field) : Record::const_iterator{};
    return record && found != record->end() ? found->second : nil;
  }

  bool operator==(const Value&) const = default;
};

using Values = std::vector<Value>;

}  // namespace moonshift::lua
