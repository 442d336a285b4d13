#include "job/runner.hpp"

#include <fmt/format.h>

#include <array>
#include <thread>

#include "base/error.hpp"
#include "base/host.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/parse.hpp"
#include "health/check.hpp"
#include "lua/script_error.hpp"
#include "redis/error.hpp"
#include "redis/info.hpp"

namespace moonshift::job {

namespace {

using base::Aborted;
using base::ExitCode;
using record::Report;
using record::ServerSnapshot;
using record::StepReport;
using Clock = std::chrono::steady_clock;

/// used_memory without what comes and goes with connections and scripts, ours among them.
base::Bytes memory_of_data(const redis::Info& info) {
  std::int64_t memory = info.number("used_memory");
  for (const char* passing :
       {"mem_clients_normal", "mem_clients_slaves", "mem_aof_buffer", "used_memory_scripts",
        "used_memory_scripts_eval", "used_memory_vm_eval"}) {
    memory -= info.number(passing);
  }
  return {memory};
}

/// Waits for UNLINK's work in the background, for at most a second.
redis::Info read_settled_info(redis::Connection& connection) {
  for (int i = 0;; ++i) {
    redis::Info info = redis::Info::read(connection, "everything");
    if (info.number("lazyfree_pending_objects") == 0 || i == 100) return info;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// Also after the run's deadline: what a run did is told all the same, if Redis answers soon.
ServerSnapshot look_at(const redis::Endpoint& endpoint) {
  redis::ConnectionOptions options = endpoint.options();
  options.deadline = std::max(options.deadline, Clock::now() + std::chrono::seconds(2));
  redis::Connection connection(endpoint.url(), options);
  const redis::Info info = read_settled_info(connection);
  const bool valkey = info.text("server_name") == "valkey";
  const std::string version =
      valkey ? "Valkey " + info.text("valkey_version") : "Redis " + info.text("redis_version");
  return {version, memory_of_data(info), connection.expect({"DBSIZE"}).integer};
}

ExitCode exit_code_of(const task::RunResult& run) {
  if (run.redis_error) return ExitCode::kNoRedis;
  if (run.script_error || run.tally.failed > 0) return ExitCode::kFailed;
  if (run.stopped) return ExitCode::kStopped;
  if (run.dry_run || run.verification.holds) return ExitCode::kDone;
  return ExitCode::kNotVerified;
}

/// What a job says that did several things: the graver one. Whether it can be resumed comes after
/// whether something is broken.
ExitCode graver(ExitCode a, ExitCode b) {
  constexpr std::array kByGravity{ExitCode::kDone, ExitCode::kNotVerified, ExitCode::kStopped,
                                  ExitCode::kFailed, ExitCode::kNoRedis};
  const auto rank = [&](ExitCode code) {
    return std::find(kByGravity.begin(), kByGravity.end(), code);
  };
  return rank(a) < rank(b) ? b : a;
}

/// Until no host can be late for the job's time any more: until its next one, and a day.
base::Duration kept_turn(const Job& job, base::UnixTime scheduled) {
  const auto next = job.schedule ? job.schedule->next(scheduled) : std::nullopt;
  const base::Duration period = next ? *next - scheduled : base::Duration(0);
  return period + job.jitter + std::chrono::days(1);
}

class Runner {
 public:
  Runner(const Job& job, const task::Catalog& catalog, const redis::Endpoint& endpoint,
         const RunnerOptions& options)
      : job_(job), endpoint_(endpoint), options_(options) {
    const lua::StateLimits limits{.deadline = options.deadline};
    for (const Step& step : job.steps) {
      scripts_.push_back(std::make_unique<task::Script>(catalog, step.script, limits));
      task::choose_engine(*scripts_.back(), step.engine);
    }
    for (const CheckCall& check : job.checks) {
      check_scripts_.push_back(std::make_unique<task::Script>(catalog, check.script, limits));
    }
  }

  Report run() {
    const auto start = Clock::now();
    report_.started = base::system_now();
    report_.id = options_.run_id.empty() ? record::make_run_id(report_.started) : options_.run_id;
    report_.name = job_.name;
    report_.description = job_.description;
    report_.redis = endpoint_.to_string();
    report_.before = look_at(endpoint_);
    if (take_lease()) {
      if (options_.on_start) options_.on_start();
      run_all();
    }
    report_.duration = std::chrono::duration_cast<base::Duration>(Clock::now() - start);
    return std::move(report_);
  }

 private:
  /// False if another run has it.
  bool take_lease() {
    if (!job_.lease || job_.steps.empty() || options_.dry_run) return true;
    auto taken = task::Lease::take(endpoint_, job_.name, *job_.lease);
    if (const auto* holder = std::get_if<task::Lease::Holder>(&taken)) {
      report_.errors.push_back(
          fmt::format("{} runs the job: it holds its lease, for {} if it does not renew it",
                      holder->name, base::describe_duration(holder->left)));
      report_.exit_code = ExitCode::kLockHeld;
      return false;
    }
    lease_ = std::get<std::unique_ptr<task::Lease>>(std::move(taken));
    return takes_its_turn();
  }

  /// False if another host has run the job for that time. This one may again: it retries.
  bool takes_its_turn() {
    if (!options_.scheduled) return true;
    const auto last = task::read_turn(endpoint_, job_.name);
    if (!last || last->scheduled < *options_.scheduled || last->host == base::host_name())
      return true;
    report_.errors.push_back(fmt::format("{} has run the job for {} already", last->host,
                                         base::format_time(last->scheduled)));
    report_.exit_code = ExitCode::kLockHeld;
    lease_.reset();
    return false;
  }

  /// A run that came to its end, good or bad, was the job's for that time; what others might still
  /// do about one that was stopped they may.
  void end_turn() {
    const bool done = report_.exit_code != ExitCode::kStopped &&
                      report_.exit_code != ExitCode::kNoRedis && base::Interrupt::signal() == 0;
    if (!lease_ || !options_.scheduled || !done || !lease_->held()) return;
    guarded(job_.name, [&] {
      task::write_turn(endpoint_, job_.name, {*options_.scheduled, base::host_name()},
                       kept_turn(job_, *options_.scheduled));
    });
  }

  void run_all() {
    for (std::size_t i = 0; i < job_.steps.size() && may_go_on(); ++i) {
      guarded(job_.steps[i].script, [&] { run_step(job_.steps[i], *scripts_[i]); });
    }
    end_turn();
    lease_.reset();  // what follows changes nothing, and is not to see its key
    if (may_go_on() && !options_.dry_run) run_checks();
    if (base::Interrupt::signal() != 0 && report_.exit_code != ExitCode::kStopped) {
      fail(ExitCode::kStopped, "stopped by a signal; run it again to go on");
    }
    look_again();
  }

  /// A step that failed does not keep the others from their work; a Redis that is gone, or a stop,
  /// does.
  bool may_go_on() const {
    return report_.exit_code != ExitCode::kNoRedis && report_.exit_code != ExitCode::kStopped &&
           base::Interrupt::signal() == 0;
  }

  void run_step(const Step& step, task::Script& script) {
    const auto start = Clock::now();
    const base::Bytes before =
        report_.steps.empty() ? report_.before->memory : look_at(endpoint_).memory;
    redis::LatencyProbe probe(endpoint_.url(), endpoint_.options());
    task::RunOptions options;
    options.engine = step.engine;
    options.limit = step.limit;
    options.rate = step.rate;
    options.batch_time = job_.batch_time;
    options.max_failures = job_.max_failures;
    options.dry_run = options_.dry_run;
    options.now = options_.now;
    options.deadline = options_.deadline;
    options.lease = lease_.get();
    if (options_.on_progress) {
      options.on_progress = [&](const task::Tally& tally) {
        const auto elapsed = std::chrono::duration_cast<base::Duration>(Clock::now() - start);
        options_.on_progress({step.script, tally, elapsed, probe.read()});
      };
    }
    StepReport done;
    done.run = task::run_task(script, step.params, endpoint_, options);
    done.latency = probe.read();
    done.exit_code = exit_code_of(done.run);
    report_.exit_code = graver(report_.exit_code, done.exit_code);
    report_.steps.push_back(std::move(done));
    // What was done stands in the report already, should Redis be gone by now.
    StepReport& step_report = report_.steps.back();
    if (step_report.exit_code != ExitCode::kNoRedis) {
      step_report.freed.count = before.count - look_at(endpoint_).memory.count;
    }
  }

  void run_checks() {
    for (std::size_t i = 0; i < job_.checks.size() && may_go_on(); ++i) {
      guarded(job_.checks[i].script, [&] {
        const auto found = health::run_check(*check_scripts_[i], job_.checks[i].params, endpoint_,
                                             options_.deadline);
        report_.findings.insert(report_.findings.end(), found.begin(), found.end());
      });
    }
    if (health::verdict_of(report_.findings) == health::Level::kCritical) {
      report_.exit_code = graver(report_.exit_code, ExitCode::kNotVerified);
    }
  }

  void look_again() {
    if (report_.exit_code == ExitCode::kNoRedis) return;
    guarded("INFO", [&] { report_.after = look_at(endpoint_); });
  }

  /// What fails from here on stands in the report, beside what was done.
  void guarded(const std::string& name, const std::function<void()>& action) {
    try {
      action();
    } catch (const lua::ScriptError& error) {
      const std::string traceback = error.traceback().empty() ? "" : "\n" + error.traceback();
      fail(ExitCode::kFailed, fmt::format("{}: {}{}", name, error.what(), traceback));
    } catch (const Aborted& aborted) {
      fail(ExitCode::kStopped, fmt::format("{}: {}", name, aborted.what()));
    } catch (const redis::RedisError& error) {
      fail(ExitCode::kNoRedis, error.what());
    }
  }

  void fail(ExitCode code, const std::string& what) {
    report_.errors.push_back(what);
    report_.exit_code = graver(report_.exit_code, code);
  }

  const Job& job_;
  const redis::Endpoint& endpoint_;
  const RunnerOptions& options_;
  std::vector<std::unique_ptr<task::Script>> scripts_;
  std::vector<std::unique_ptr<task::Script>> check_scripts_;
  std::unique_ptr<task::Lease> lease_;
  Report report_;
};

}  // namespace

Report run_job(const Job& job, const task::Catalog& catalog, const redis::Endpoint& endpoint,
               const RunnerOptions& options) {
  check_job(job, catalog);
  return Runner(job, catalog, endpoint, options).run();
}

}  // namespace moonshift::job
