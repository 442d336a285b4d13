#include "task/parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/bytes.hpp"
#include "base/duration.hpp"
#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/text.hpp"

namespace moonshift::task {

namespace {

using base::ConfigError;
using lua::Value;
using Type = Parameter::Type;

constexpr std::array<std::pair<std::string_view, Type>, 9> kTypes{{
    {"string", Type::kString},
    {"integer", Type::kInteger},
    {"number", Type::kNumber},
    {"boolean", Type::kBoolean},
    {"duration", Type::kDuration},
    {"time", Type::kTime},
    {"bytes", Type::kBytes},
    {"glob", Type::kGlob},
    {"enum", Type::kEnum},
}};

std::string_view name_of(Type type) {
  return std::find_if(kTypes.begin(), kTypes.end(),
                      [&](const auto& entry) { return entry.second == type; })
      ->first;
}

/// Lists and the empty table look alike in Lua.
Value::List as_list(const Value& value) {
  if (const auto* list = value.as<Value::List>()) return *list;
  if (const auto* record = value.as<Value::Record>(); record && record->empty()) return {};
  return {value};
}

/// From here on a Lua number stands for several integers.
constexpr double kMostExact = 9007199254740992.0;

Value to_integer(const Value& value) {
  std::optional<double> number;
  if (const auto* text = value.as<std::string>()) {
    if (const auto parsed = base::parse_number<std::int64_t>(*text))
      number = static_cast<double>(*parsed);
  } else if (const auto* given = value.as<double>()) {
    number = *given;
  }
  if (!number || std::trunc(*number) != *number || std::abs(*number) >= kMostExact) {
    throw ConfigError("is not a whole number");
  }
  return *number;
}

Value to_number(const Value& value) {
  if (const auto* given = value.as<double>()) return *given;
  if (const auto* text = value.as<std::string>()) {
    if (const auto parsed = base::parse_number<double>(*text); parsed && std::isfinite(*parsed))
      return *parsed;
  }
  throw ConfigError("is not a number");
}

Value to_boolean(const Value& value) {
  if (value.as<bool>() != nullptr) return value;
  const std::string text = value.text();
  if (text == "true" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "no" || text == "0") return false;
  throw ConfigError("is neither true nor false");
}

const std::string& to_text(const Value& value) {
  if (const auto* text = value.as<std::string>()) return *text;
  throw ConfigError("must be written as text, in quotes");
}

Value to_milliseconds(const Value& value) {
  const auto duration = base::parse_duration(to_text(value));
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// `2026-11-01T02:30:00Z`, or `2h` for two hours before `now`.
Value to_time(const Value& value, base::UnixTime now) {
  const auto milliseconds = [](base::UnixTime time) {
    return static_cast<double>(time.time_since_epoch().count());
  };
  const std::string& text = to_text(value);
  try {
    const auto before = base::parse_duration(text);
    return milliseconds(now - std::chrono::duration_cast<std::chrono::milliseconds>(before));
  } catch (const ConfigError&) {
  }
  try {
    return milliseconds(base::parse_time(text));
  } catch (const ConfigError&) {
    throw ConfigError(
        "is neither a time, as in 2026-11-01T02:30:00Z, nor a duration before now, as in 2h");
  }
}

/// One value of the parameter's type. The ConfigError's text goes on after "'value' ".
Value convert(const Parameter& parameter, const Value& value, base::UnixTime now) {
  switch (parameter.type) {
    case Type::kInteger:
      return to_integer(value);
    case Type::kNumber:
      return to_number(value);
    case Type::kBoolean:
      return to_boolean(value);
    case Type::kDuration:
      return to_milliseconds(value);
    case Type::kTime:
      return to_time(value, now);
    case Type::kBytes:
      return static_cast<double>(base::parse_bytes(to_text(value)).count);
    case Type::kEnum:
      if (std::find(parameter.choices.begin(), parameter.choices.end(), to_text(value)) ==
          parameter.choices.end()) {
        throw ConfigError("is none of " + base::join(parameter.choices));
      }
      return value;
    case Type::kString:
    case Type::kGlob:
      return to_text(value);
  }
  return value;
}

std::string for_people(const Value& value) {
  if (const auto* text = value.as<std::string>()) return base::printable(*text);
  if (const auto* number = value.as<double>()) return fmt::format("{}", *number);
  if (const auto* flag = value.as<bool>()) return *flag ? "true" : "false";
  return "this";
}

Value convert_all(const Parameter& parameter, const Value& value, base::UnixTime now = {}) {
  const auto one = [&](const Value& single) {
    try {
      return convert(parameter, single, now);
    } catch (const ConfigError& error) {
      const std::string text = error.what();
      // Some texts name the value themselves.
      throw ConfigError(text.starts_with('\'') ? text
                                               : fmt::format("'{}' {}", for_people(single), text));
    }
  };
  if (!parameter.list) {
    if (value.as<Value::List>() != nullptr) throw ConfigError("takes one value only");
    return one(value);
  }
  Value::List list;
  for (const Value& single : as_list(value)) list.push_back(one(single));
  return list;
}

Parameter read_declaration(const std::string& name, const Value& fields) {
  Parameter parameter;
  parameter.name = name;
  const auto* record = fields.as<Value::Record>();
  if (record == nullptr)
    throw ConfigError("must be a table such as { type = \"string\", help = \"...\" }");
  for (const auto& [field, value] : *record) {
    if (field == "type") {
      const std::string type = value.text();
      const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                      [&](const auto& entry) { return entry.first == type; });
      if (found == kTypes.end()) {
        std::vector<std::string> known;
        for (const auto& entry : kTypes) known.emplace_back(entry.first);
        throw ConfigError(fmt::format("type '{}' is none of {}", type, base::join(known)));
      }
      parameter.type = found->second;
    } else if (field == "default") {
      parameter.fallback = value;
    } else if (field == "help") {
      parameter.help = value.text();
    } else if (field == "required" && value.as<bool>()) {
      parameter.required = *value.as<bool>();
    } else if (field == "list" && value.as<bool>()) {
      parameter.list = *value.as<bool>();
    } else if (field == "values") {
      for (const Value& choice : as_list(value)) parameter.choices.push_back(choice.text());
    } else {
      throw ConfigError(fmt::format("the field '{}' is unknown or of the wrong type", field));
    }
  }
  if (parameter.type == Type::kEnum && parameter.choices.empty()) {
    throw ConfigError("an enum needs values = { \"...\", ... }");
  }
  if (parameter.help.empty()) throw ConfigError("needs a help text");
  if (!parameter.fallback.is_nil()) convert_all(parameter, parameter.fallback);
  return parameter;
}

}  // namespace

std::string Parameter::describe_type() const {
  const std::string one =
      type == Type::kEnum ? base::join(choices, " | ") : std::string(name_of(type));
  return list ? one + ", several" : one;
}

Parameters::Parameters(const std::string& script, const Value& declared) : script_(script) {
  const auto* record = declared.as<Value::Record>();
  if (record == nullptr && !declared.is_nil()) {
    throw ConfigError(fmt::format("{}: params must be a table of name = {{ type = ... }}", script));
  }
  if (record == nullptr) return;
  for (const auto& [name, fields] : *record) {
    try {
      if (name == "now") throw ConfigError("is always there: it is Redis's clock");
      declared_.push_back(read_declaration(name, fields));
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{}: parameter '{}': {}", script, name, error.what()));
    }
  }
}

const Parameter* Parameters::find(const std::string& name) const {
  for (const Parameter& parameter : declared_) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

Value::Record Parameters::resolve(const GivenParameters& given, base::UnixTime now) const {
  std::vector<std::string> known;
  for (const Parameter& parameter : declared_) known.push_back(parameter.name);
  for (const auto& [name, value] : given) {
    if (find(name) == nullptr) {
      throw ConfigError(fmt::format("{}: there is no parameter '{}'{}; it has: {}", script_, name,
                                    base::did_you_mean(name, known),
                                    known.empty() ? "none" : base::join(known)));
    }
  }
  Value::Record resolved;
  for (const Parameter& parameter : declared_) {
    const auto found = given.find(parameter.name);
    const Value& value = found == given.end() ? parameter.fallback : found->second;
    if (value.is_nil()) {
      if (!parameter.required) continue;
      throw ConfigError(fmt::format("{}: the parameter '{}' is required: {} ({})", script_,
                                    parameter.name, parameter.help, parameter.describe_type()));
    }
    try {
      resolved[parameter.name] = convert_all(parameter, value, now);
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{}: parameter '{}' ({}): {}", script_, parameter.name,
                                    parameter.describe_type(), error.what()));
    }
  }
  return resolved;
}

GivenParameters Parameters::written(const GivenParameters& given) const {
  GivenParameters all = given;
  for (const Parameter& parameter : declared_) {
    if (!parameter.fallback.is_nil()) all.emplace(parameter.name, parameter.fallback);
  }
  return all;
}

}  // namespace moonshift::task
