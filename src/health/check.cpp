#include "health/check.hpp"

#include <optional>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "lua/scheduler.hpp"
#include "lua/script_error.hpp"

namespace moonshift::health {

namespace {

using base::Aborted;
using lua::FiberEnd;
using Clock = std::chrono::steady_clock;

struct Ending : lua::FiberOwner {
  std::optional<FiberEnd> end;
  void on_end(const std::vector<std::string>&, FiberEnd ended) override { end = std::move(ended); }
};

FiberEnd run_to_end(lua::State& state, lua::Scheduler& scheduler, base::SteadyTime deadline) {
  Ending ending;
  const lua::Function check = state.function("check");
  scheduler.start(check, lua::Access::kCheck, {}, ending);
  while (!ending.end) {
    scheduler.step(Clock::now() + std::chrono::milliseconds(100));
    if (base::Interrupt::signal() != 0) throw Aborted(Aborted::Reason::kSignal, "a signal came");
    if (Clock::now() >= deadline)
      throw Aborted(Aborted::Reason::kDeadline, "the deadline has passed");
  }
  return std::move(*ending.end);
}

}  // namespace

std::vector<Finding> run_check(task::Script& script, const task::GivenParameters& given,
                               const redis::Endpoint& endpoint, base::SteadyTime deadline) {
  task::require_kind(script, task::Script::Kind::kCheck);
  redis::Connection connection = endpoint.connect();
  const base::UnixTime now = connection.read_time();
  lua::Value::Record p = script.parameters().resolve(given, now);
  p["now"] = static_cast<double>(now.time_since_epoch().count());
  script.begin(std::move(p));
  const auto commands = redis::CommandTable::read(connection);
  lua::Scheduler scheduler(script.state(), connection, commands, {});
  const FiberEnd end = run_to_end(script.state(), scheduler, deadline);
  if (end.how == FiberEnd::How::kKilled)
    throw Aborted(Aborted::Reason::kDeadline, "stopped in " + end.error);
  if (end.how == FiberEnd::How::kFailed) throw lua::ScriptError(end.error, end.traceback);
  const auto* list = end.first.as<lua::Value::List>();
  if (end.first == lua::Value(lua::Value::Record{})) return {};  // an empty table
  if (list == nullptr) {
    throw lua::ScriptError(script.source().path + ": a check must return a list of findings");
  }
  std::vector<Finding> findings;
  for (const lua::Value& fields : *list)
    findings.push_back(read_finding(script.source().name, fields));
  return findings;
}

}  // namespace moonshift::health
