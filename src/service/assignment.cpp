#include "service/assignment.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace moonshift::service {

namespace {

constexpr const char* kRunId = "MOONSHIFT_RUN_ID";
constexpr const char* kScheduled = "MOONSHIFT_SCHEDULED";
constexpr const char* kMayWait = "MOONSHIFT_MAY_WAIT";

std::optional<std::string> take(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string text = value;
  ::unsetenv(name);
  return text;
}

}  // namespace

std::vector<std::string> environment_of(const Assignment& assignment) {
  std::vector<std::string> environment{
      fmt::format("{}={}", kRunId, assignment.run_id),
      fmt::format("{}={}", kScheduled, base::format_time(assignment.scheduled))};
  if (assignment.may_wait) environment.push_back(fmt::format("{}=1", kMayWait));
  return environment;
}

std::optional<Assignment> take_assignment() {
  const auto run_id = take(kRunId), scheduled = take(kScheduled), may_wait = take(kMayWait);
  if (!run_id || !scheduled) return std::nullopt;
  return Assignment{*run_id, base::parse_time(*scheduled), may_wait.has_value()};
}

}  // namespace moonshift::service
