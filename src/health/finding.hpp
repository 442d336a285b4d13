#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lua/value.hpp"

namespace moonshift::health {

enum class Level { kOk, kWarning, kCritical };

std::string_view name_of(Level level);

/// The level of that name, if there is one.
std::optional<Level> level_named(std::string_view name);

/// One thing that a check looked at.
struct Finding {
  Level level = Level::kOk;
  std::string check;  ///< the script that found it: checks/memory
  std::string what;   ///< `memory used`
  std::string value;  ///< as measured: `83 %`
  std::string limit;  ///< `80 %`; empty if there is none
  std::string hint;   ///< what to do; empty if nothing
  lua::Value data{};  ///< the same for programs, in a form of the check's own; or nil
};

/// Reads what a check returned for one finding. Throws ScriptError that says what is wrong with it.
Finding read_finding(const std::string& check, const lua::Value& fields);

/// The worst level: the verdict.
Level verdict_of(std::span<const Finding> findings);

}  // namespace moonshift::health
