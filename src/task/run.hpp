#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/time.hpp"
#include "redis/endpoint.hpp"
#include "task/lease.hpp"
#include "task/script.hpp"
#include "task/tally.hpp"

namespace moonshift::task {

enum class EngineChoice { kAuto, kLocal, kServer };

struct RunOptions {
  EngineChoice engine = EngineChoice::kAuto;
  base::Duration batch_time = std::chrono::milliseconds(2);
  std::int64_t max_failures = 100;    ///< the run stops with this many
  std::optional<std::int64_t> limit;  ///< items that are treated at most
  std::optional<double> rate;         ///< items a second at most
  bool dry_run = false;
  std::optional<base::UnixTime> now;  ///< what tasks see as p.now; else Redis's clock
  base::SteadyTime deadline = base::kNever;
  const Lease* lease = nullptr;  ///< checked before every batch; must outlive the run
  /// Called about ten times a second.
  std::function<void(const Tally&)> on_progress;
};

/// Whether the work helped: what `find` says after it.
struct Verification {
  bool done = false;
  bool holds = false;
  int passes = 0;            ///< how often find ran again
  std::int64_t arrived = 0;  ///< items that were made while the run went on; they were treated too
  std::int64_t remaining = 0;  ///< items that `each` had treated, and find emits them all the same
  std::vector<Item> examples;  ///< the first few of those
  std::string task_says;       ///< why the task's own verify does not hold
};

struct RunResult {
  std::string script;
  EngineChoice engine = EngineChoice::kLocal;
  GivenParameters parameters;
  base::UnixTime now{};
  bool dry_run = false;
  Tally tally;
  bool limit_reached = false;  ///< there may be more than was found
  std::vector<Item> sample;    ///< of a dry run
  Verification verification;
  std::optional<std::string> script_error;  ///< find or verify failed
  std::string traceback;
  std::optional<std::string> redis_error;  ///< Redis was lost; what was done until then stands
  std::optional<base::Aborted::Reason> stopped;
  std::string stopped_in;  ///< `file:line: ...` of the script that did not come to its end
  base::Duration duration{0};
  std::int64_t batches = 0;
  redis::Connection::Totals traffic;
};

std::string_view name_of(EngineChoice engine);

/// The engine that `wanted` comes to for this task, as far as the task itself says. Throws
/// ConfigError if it cannot run in that engine.
EngineChoice choose_engine(const Script& script, EngineChoice wanted);

/// Runs a task: find and each, then find again, up to three times, until nothing but kept items is
/// left. With a limit, find runs again once, and must not emit what was treated.
///
/// Throws ConfigError or RedisError before anything was changed. What goes wrong later is in the
/// result, beside what was done until then.
RunResult run_task(Script& script, const GivenParameters& given, const redis::Endpoint& endpoint,
                   const RunOptions& options);

}  // namespace moonshift::task
