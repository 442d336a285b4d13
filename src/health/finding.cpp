#include "health/finding.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lua/script_error.hpp"

namespace moonshift::health {

namespace {

Level read_level(const std::string& check, const std::string& name) {
  if (const auto level = level_named(name)) return *level;
  throw lua::ScriptError(
      fmt::format("{}: a finding's level must be ok, warning or critical, not '{}'", check, name));
}

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kOk:
      return "ok";
    case Level::kWarning:
      return "warning";
    case Level::kCritical:
      break;
  }
  return "critical";
}

std::optional<Level> level_named(std::string_view name) {
  for (const Level level : {Level::kOk, Level::kWarning, Level::kCritical}) {
    if (name == name_of(level)) return level;
  }
  return std::nullopt;
}

Finding read_finding(const std::string& check, const lua::Value& fields) {
  Finding finding;
  finding.check = check;
  finding.level = read_level(check, fields["level"].text());
  finding.what = fields["what"].text();
  finding.value = fields["value"].text();
  finding.limit = fields["limit"].text();
  finding.hint = fields["hint"].text();
  finding.data = fields["data"];
  if (finding.what.empty())
    throw lua::ScriptError(fmt::format("{}: a finding needs `what`", check));
  return finding;
}

Level verdict_of(std::span<const Finding> findings) {
  Level worst = Level::kOk;
  for (const Finding& finding : findings) worst = std::max(worst, finding.level);
  return worst;
}

}  // namespace moonshift::health
