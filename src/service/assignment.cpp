#include "service/assignment.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cstdlib>

#include "base/interrupt.hpp"
#include "base/parse.hpp"

namespace moonshift::service {

namespace {

constexpr const char* kRunId = "MOONSHIFT_RUN_ID";
constexpr const char* kScheduled = "MOONSHIFT_SCHEDULED";
constexpr const char* kMayWait = "MOONSHIFT_MAY_WAIT";
constexpr const char* kKilledBy = "MOONSHIFT_KILLED_BY";

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
  if (assignment.killed_by != 0)
    environment.push_back(fmt::format("{}={}", kKilledBy, assignment.killed_by));
  return environment;
}

std::optional<Assignment> take_assignment() {
  const auto run_id = take(kRunId), scheduled = take(kScheduled), may_wait = take(kMayWait),
             killed_by = take(kKilledBy);
  if (!run_id || !scheduled) return std::nullopt;
  return Assignment{.run_id = *run_id,
                    .scheduled = base::parse_time(*scheduled),
                    .may_wait = may_wait.has_value(),
                    .killed_by = base::parse_number<int>(killed_by.value_or("")).value_or(0)};
}

void end_with_daemon() {
  base::survive_broken_pipes();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
}

}  // namespace moonshift::service
