#include "task/run.hpp"

#include <fmt/format.h>

#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "lua/script_error.hpp"
#include "redis/error.hpp"
#include "redis/info.hpp"
#include "task/local_engine.hpp"
#include "task/server_engine.hpp"

namespace moonshift::task {

namespace {

using base::Aborted;
using Clock = std::chrono::steady_clock;

constexpr int kMostPasses = 3;
constexpr std::size_t kShownItems = 20;

/// How many items are remembered to tell those that would not go from those that came new; some 50
/// bytes each.
constexpr std::size_t kMostRemembered = 1 << 18;

/// How long items that are under way may take to end once the run is to stop.
constexpr auto kStopGrace = std::chrono::seconds(5);
constexpr auto kTick = std::chrono::milliseconds(100);

/// An item as 64 bits.
std::uint64_t fingerprint(const Item& item) {
  std::uint64_t hash = 0;
  for (const std::string& word : item) {
    hash = (hash ^ std::hash<std::string>{}(word)) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 29;
  }
  return hash;
}

/// A set that stops growing at a limit.
class Remembered {
 public:
  void add(std::uint64_t print) {
    if (prints_.size() < kMostRemembered) prints_.insert(print);
  }
  bool contains(std::uint64_t print) const { return prints_.contains(print); }
  bool remove(std::uint64_t print) { return prints_.erase(print) > 0; }

 private:
  std::unordered_set<std::uint64_t> prints_;
};

/// An item that was treated in a further pass.
struct Treated {
  const std::string* outcome;  ///< a key of the tally
  int pass;                    ///< the last one that treated it
  int times = 1;               ///< in how many further passes
};

class TaskRun : public lua::Outlet, public lua::FiberOwner, public ItemListener {
 public:
  TaskRun(Script& script, const redis::Endpoint& endpoint, const RunOptions& options,
          EngineChoice choice, lua::Value::Record p, redis::Connection& connection)
      : script_(script),
        options_(options),
        connection_(connection),
        commands_(redis::CommandTable::read(connection)),
        scheduler_(script.state(), connection, commands_,
                   {options.batch_time, script.only_local()}),
        find_(script.state().function("find")) {
    scheduler_.define_outlet("emit", *this);
    script.set_failure_sink(
        [this](const std::string& key, const std::string& error) { on_walk_failure(key, error); });
    script.begin(p);
    if (choice == EngineChoice::kServer) {
      engine_ = std::make_unique<ServerEngine>(script, p, connection, endpoint, options.batch_time,
                                               *this);
    } else {
      engine_ = std::make_unique<LocalEngine>(script, scheduler_, connection, *this);
    }
  }

  ~TaskRun() override { script_.set_failure_sink({}); }

  RunResult run() {
    try {
      run_pass();
      if (!options_.dry_run) verify();
    } catch (const redis::RedisError& error) {
      // A script that caught the loss of its lease met a closed connection next.
      if (lease_is_lost()) {
        stop(Aborted::Reason::kLeaseLost);
      } else {
        result_.redis_error = error.what();
      }
    } catch (const lua::ScriptError& error) {
      result_.script_error = error.what();
      result_.traceback = error.traceback();
    } catch (const Aborted& aborted) {
      base::log_warning("{}", aborted.what());
      stop(aborted.reason());
      if (pass_ == 0) result_.tally.interrupted += static_cast<std::int64_t>(under_way_.size());
    }
    result_.batches = engine_->batches();
    result_.stopped = stopped_;
    return std::move(result_);
  }

 private:
  // What find hands out

  void take(Item item) override {
    if (is_stopping() || limit_is_reached()) return;
    const std::uint64_t print = fingerprint(item);
    if (under_way_.contains(print)) return;
    if (options_.limit && pass_ > 0) {
      look_after_limited(item);
      return;
    }
    pace();
    if (pass_ == 0) {
      ++result_.tally.found;
    } else if (const auto found = treated_again_.find(print); found != treated_again_.end()) {
      Treated& treated = found->second;
      if (treated.pass == pass_) return;  // find emitted it twice
      // One that came back once may have been made anew. In every pass: it would not go.
      if (pass_ == kMostPasses && treated.times == kMostPasses - 1) {
        remember_remaining(std::move(item), treated);
        return;
      }
    }
    if (options_.dry_run) {
      if (result_.sample.size() < kShownItems) result_.sample.push_back(std::move(item));
    } else {
      under_way_.insert(print);
      engine_->take(std::move(item));
    }
  }

  bool full() const override {
    return is_stopping() || limit_is_reached() || Clock::now() < next_item_ || engine_->full();
  }

  bool limit_is_reached() const {
    return options_.limit && pass_ == 0 && result_.tally.found >= *options_.limit;
  }

  /// When the next item may come, if there is a rate.
  void pace() {
    if (!options_.rate) return;
    const std::chrono::duration<double> interval(1 / *options_.rate);
    next_item_ =
        std::max(next_item_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(interval);
  }

  /// A run with a limit treats nothing in its further pass: what find emits is new to it, or was
  /// beyond the limit, or would not go.
  void look_after_limited(const Item& item) {
    if (!treated_at_first_.remove(fingerprint(item))) return;
    ++result_.verification.remaining;
    if (result_.verification.examples.size() < kShownItems)
      result_.verification.examples.push_back(item);
  }

  /// Also between two items: a find may emit a thousand before the loop looks at the clock.
  bool is_stopping() const { return stopped_.has_value() || base::Interrupt::signal() != 0; }

  /// A walk meets the same key again in each pass.
  void on_walk_failure(const std::string& key, const std::string& error) {
    const std::uint64_t print = fingerprint({key});
    if (failed_.contains(print)) return;
    failed_.add(print);
    result_.tally.add_failure({key}, error, "");
    stop_at_most_failures();
  }

  // How items and find itself end

  void on_result(const Item& item, ItemResult result) override {
    under_way_.erase(fingerprint(item));
    if (result.kind == ItemResult::Kind::kInterrupted && result_.stopped_in.empty())
      result_.stopped_in = result.error;
    if (pass_ == 0) {
      if (result.kind == ItemResult::Kind::kFailed) {
        failed_.add(fingerprint(item));
      } else if (options_.limit && result.kind != ItemResult::Kind::kInterrupted &&
                 !result.kept()) {
        treated_at_first_.add(fingerprint(item));
      }
      result_.tally.add(item, result);
    } else {
      on_later_result(item, result);
    }
    stop_at_most_failures();
  }

  /// In a further pass: a kept item was counted before, and so was one that fails again.
  void on_later_result(const Item& item, const ItemResult& result) {
    const std::uint64_t print = fingerprint(item);
    if (result.kept()) return;
    if (result.kind == ItemResult::Kind::kInterrupted) return;
    if (result.kind == ItemResult::Kind::kFailed) {
      if (!failed_.contains(print)) result_.tally.add(item, result);
      failed_.add(print);
      return;
    }
    if (failed_.remove(print)) {
      --result_.tally.failed;
    } else {
      ++result_.verification.arrived;
      ++result_.tally.found;
    }
    result_.tally.add(item, result);
    treated_in_pass_ = true;
    const auto counted = result_.tally.outcomes.find(result.outcome);
    if (const auto known = treated_again_.find(print); known != treated_again_.end()) {
      if (std::exchange(known->second.pass, pass_) != pass_) ++known->second.times;
    } else if (treated_again_.size() < kMostRemembered && counted != result_.tally.outcomes.end()) {
      treated_again_.emplace(print, Treated{&counted->first, pass_});
    }
  }

  void on_end(const std::vector<std::string>&, lua::FiberEnd end) override {
    finding_ = false;
    if (end.how == lua::FiberEnd::How::kFailed) {
      result_.script_error = end.error;
      result_.traceback = end.traceback;
    } else if (end.how == lua::FiberEnd::How::kKilled) {
      result_.stopped_in = end.error;
      stop(reason_to_kill());
    }
    said_ = {end.first, end.second};
  }

  bool lease_is_lost() const { return options_.lease != nullptr && !options_.lease->held(); }

  Aborted::Reason reason_to_kill() const {
    if (lease_is_lost()) return Aborted::Reason::kLeaseLost;
    return base::Interrupt::signal() != 0 ? Aborted::Reason::kSignal : Aborted::Reason::kDeadline;
  }

  /// An item was treated in each further pass, and here it is again.
  void remember_remaining(Item item, Treated& treated) {
    treated.pass = pass_;
    Verification& verification = result_.verification;
    ++verification.remaining;
    // It was taken for a new one each time it came back, unless its outcome was another one then.
    std::int64_t& counted = result_.tally.outcomes[*treated.outcome];
    const std::int64_t times = std::min<std::int64_t>(treated.times, counted);
    verification.arrived = std::max<std::int64_t>(0, verification.arrived - times);
    result_.tally.found -= times;
    result_.tally.done -= times;
    counted -= times;
    if (verification.examples.size() < kShownItems)
      verification.examples.push_back(std::move(item));
  }

  // Passes

  void run_pass() {
    base::log_debug("pass {}: find begins", pass_ + 1);
    finding_ = true;
    scheduler_.start(find_, lua::Access::kFind, {}, *this);
    while (finding_ || !engine_->idle()) {
      if (finding_ && limit_is_reached()) {
        result_.limit_reached = true;
        scheduler_.drop_waiting_for(*this);
        finding_ = false;
      }
      if (!finding_ || options_.rate) engine_->finish();
      if (stopped_ && engine_->idle()) return;
      step();
      look_at_clock();
    }
  }

  void step() {
    const auto now = Clock::now();
    const auto until = next_item_ > now ? std::min(next_item_, now + kTick) : now + kTick;
    scheduler_.step(until);
    if (next_item_ > now && connection_.commands_in_flight() == 0) {
      std::this_thread::sleep_until(std::min(next_item_, now + kTick));
    }
    if (options_.on_progress && now >= next_progress_) {
      options_.on_progress(result_.tally);
      next_progress_ = now + kTick;
    }
  }

  void look_at_clock() {
    const auto now = Clock::now();
    if (base::Interrupt::signal() != 0) stop(Aborted::Reason::kSignal);
    if (now >= options_.deadline) stop(Aborted::Reason::kDeadline);
    if (!stopped_) return;
    engine_->finish();  // what has been taken is completed
    if (engine_->idle() || now < stopped_at_ + kTick * presses_) return;
    ++presses_;
    if (now >= stopped_at_ + kStopGrace) {
      engine_->give_up();
    } else if (now >= options_.deadline) {
      engine_->press();
    }
  }

  void stop(Aborted::Reason reason) {
    if (stopped_) return;
    stopped_ = reason;
    stopped_at_ = Clock::now();
  }

  void stop_at_most_failures() {
    if (result_.tally.failed >= options_.max_failures) stop(Aborted::Reason::kTooManyFailures);
  }

  void verify() {
    Verification& verification = result_.verification;
    do {
      if (stopped_ || result_.script_error) return;
      ++pass_;
      treated_in_pass_ = false;
      run_pass();
    } while (treated_in_pass_ && pass_ < kMostPasses);
    if (stopped_ || result_.script_error) return;
    verification.passes = pass_;
    verification.holds = verification.remaining == 0 && task_agrees();
    verification.done = !stopped_;
  }

  /// The task's own verify, if it has one.
  bool task_agrees() {
    if (!script_.has_verify()) return true;
    std::vector<std::string> outcomes;
    for (const auto& [outcome, count] : result_.tally.outcomes) {
      outcomes.push_back(outcome);
      outcomes.push_back(std::to_string(count));
    }
    const lua::Function verify = script_.state().function("verify");
    finding_ = true;
    scheduler_.start(verify, lua::Access::kVerify, std::move(outcomes), *this);
    while (finding_ && !stopped_) {
      step();
      look_at_clock();
    }
    const bool holds = said_.first != lua::Value(false);
    if (!holds) result_.verification.task_says = said_.second.text();
    return holds && !result_.script_error && !stopped_;
  }

  Script& script_;
  const RunOptions& options_;
  redis::Connection& connection_;
  redis::CommandTable commands_;
  lua::Scheduler scheduler_;
  lua::Function find_;
  std::unique_ptr<Engine> engine_;
  RunResult result_;
  int pass_ = 0;
  bool finding_ = false;
  bool treated_in_pass_ = false;
  std::pair<lua::Value, lua::Value> said_;  ///< by verify
  /// A find may emit an item twice. Both would decide on the same state if they shared a
  /// transaction, which does not conflict with itself.
  std::unordered_set<std::uint64_t> under_way_;
  Remembered failed_;
  Remembered treated_at_first_;  ///< only where there is a limit
  std::unordered_map<std::uint64_t, Treated> treated_again_;
  std::optional<Aborted::Reason> stopped_;
  base::SteadyTime stopped_at_{};
  int presses_ = 0;
  base::SteadyTime next_progress_{};
  base::SteadyTime next_item_{};
};

}  // namespace

std::string_view name_of(EngineChoice engine) {
  switch (engine) {
    case EngineChoice::kAuto:
      return "auto";
    case EngineChoice::kLocal:
      return "local";
    case EngineChoice::kServer:
      break;
  }
  return "server";
}

EngineChoice choose_engine(const Script& script, EngineChoice wanted) {
  if (script.only_local()) {
    if (wanted == EngineChoice::kServer) {
      throw base::ConfigError(fmt::format(
          "{} needs commands that Redis refuses in a script: run it with --engine local or auto",
          script.source().name));
    }
    return EngineChoice::kLocal;
  }
  if (!script.atomic()) return wanted;
  if (wanted == EngineChoice::kLocal) {
    throw base::ConfigError(
        fmt::format("{} needs each item to be atomic: run it with --engine server or auto",
                    script.source().name));
  }
  return EngineChoice::kServer;
}

namespace {

/// Above maxmemory Redis refuses to queue any command of a transaction, even one that deletes
/// (redis src/server.c, processCommand), while a script without a `#!lua` line may delete.
EngineChoice suit(redis::Connection& connection) {
  const redis::Info memory = redis::Info::read(connection, "memory");
  const bool full =
      memory.number("maxmemory") > 0 && memory.number("used_memory") >= memory.number("maxmemory");
  return full ? EngineChoice::kServer : EngineChoice::kLocal;
}

}  // namespace

RunResult run_task(Script& script, const GivenParameters& given, const redis::Endpoint& endpoint,
                   const RunOptions& options) {
  require_kind(script, Script::Kind::kTask);
  EngineChoice choice = choose_engine(script, options.engine);
  script.parameters().resolve(given);  // before anything else is done
  const auto start = Clock::now();
  redis::Connection connection = endpoint.connect();
  if (choice == EngineChoice::kAuto) choice = suit(connection);
  const base::UnixTime now = options.now ? *options.now : connection.read_time();
  base::log_debug("{} ({}): {} engine, connected to {}, p.now is {}", script.source().name,
                  script.source().path, name_of(choice), connection.where(),
                  base::format_time(now));
  lua::Value::Record p = script.parameters().resolve(given, now);
  p["now"] = static_cast<double>(now.time_since_epoch().count());
  if (options.lease != nullptr) connection.set_guard([&] { options.lease->check(); });

  RunResult result = TaskRun(script, endpoint, options, choice, std::move(p), connection).run();
  base::log_debug(
      "{}: done in {}: {} commands in {} writes", script.source().name,
      base::describe_duration(std::chrono::duration_cast<base::Duration>(Clock::now() - start)),
      connection.totals().commands, connection.totals().writes);
  result.script = script.source().name;
  result.engine = choice;
  result.parameters = script.parameters().written(given);
  result.now = now;
  result.dry_run = options.dry_run;
  result.traffic = connection.totals();
  result.duration = std::chrono::duration_cast<base::Duration>(Clock::now() - start);
  return result;
}

}  // namespace moonshift::task
