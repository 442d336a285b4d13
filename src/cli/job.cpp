#include <exception>

#include "base/journal.hpp"
#include "base/text.hpp"
#include "cli/common.hpp"
#include "cli/progress.hpp"
#include "job/notify_file.hpp"
#include "record/last_verdict.hpp"
#include "record/notifier.hpp"
#include "redis/reachable.hpp"
#include "service/assignment.hpp"
#include "service/last_run.hpp"
#include "service/unattended.hpp"
#include "service/units.hpp"

namespace moonshift::cli {

namespace {

namespace fs = std::filesystem;

fs::path file_of_job(const cxxopts::ParseResult& parsed) {
  const std::string name = one_positional(parsed, "job");
  const fs::path schedules = schedules_of(parsed);
  return parsed.count("unit") > 0 ? job::find_named_job(service::unescape_instance(name), schedules)
                                  : job::find_job(name, schedules);
}

/// Nothing if nobody could find it there again.
std::optional<fs::path> state_directory_if_any() {
  try {
    return record::state_directory();
  } catch (const base::ConfigError& error) {
    base::log_debug("{}", error.what());
    return std::nullopt;
  }
}

/// The runs that one call of the command makes.
class JobRuns {
 public:
  JobRuns(const cxxopts::ParseResult& parsed, fs::path file)
      : parsed_(parsed),
        file_(std::move(file)),
        name_(file_.stem().string()),
        options_(runner_options(parsed, base::kNever)) {
    try {
      job_ = job::read_job(file_);
      url_ = url_of(parsed_, job_->url);
    } catch (const base::ConfigError&) {
      wrong_ = std::current_exception();  // the run tells of it
    }
  }

  base::ExitCode for_daemon(const service::Assignment& assignment) {
    service::end_with_daemon();
    options_.run_id = assignment.run_id;
    if (assignment.killed_by != 0) return tell_killed(assignment);
    options_.scheduled = assignment.scheduled;
    if (assignment.may_wait && !wrong_ && !redis::is_reachable(*url_))
      return static_cast<base::ExitCode>(service::kAwaitsRedis);
    return run_and_record();
  }

  base::ExitCode for_timer() {
    if (wrong_ || options_.dry_run) return by_hand();
    if (job_->schedule) options_.scheduled = job_->schedule->last(base::system_now());
    return service::run_unattended(*job_, *url_, [&] { return by_hand(); });
  }

  base::ExitCode by_hand() {
    options_.run_id = record::make_run_id(base::system_now());
    return run_and_record();
  }

 private:
  /// Leaves behind what `moonshift jobs` tells.
  base::ExitCode run_and_record() {
    const auto state = is_rehearsal() ? std::nullopt : state_directory_if_any();
    if (!state) return run_once();
    const base::UnixTime now = base::system_now();
    service::RunRecorder recorder(
        *state, name_, job_ ? service::schedule_id(*job_) : "",
        {.run_id = options_.run_id, .scheduled = options_.scheduled.value_or(now), .now = now});
    const base::ExitCode exit_code = run_once();
    recorder.ended(static_cast<int>(exit_code), verdict_, base::system_now());
    return exit_code;
  }

  bool is_rehearsal() const {
    return options_.dry_run || (url_ && url_->scheme == redis::Url::Scheme::kScratch);
  }

  /// Every error is told, and has become its exit code.
  base::ExitCode run_once() {
    base::set_journal_fields({{"MOONSHIFT_JOB", name_}, {"MOONSHIFT_RUN", options_.run_id}});
    verdict_.reset();
    try {
      const record::Report report = run_and_notify();
      verdict_ = record::verdict_of(report);
      return print_report(parsed_, report);
    } catch (const std::exception& error) {
      return tell_error(error, parsed_.count("json") > 0);
    }
  }

  base::ExitCode tell_killed(const service::Assignment& assignment) {
    record::Report report = begin_report();
    if (url_) report.redis = url_->to_string();
    report.exit_code = base::ExitCode::kFailed;
    report.errors.push_back(service::ending_of(service::kSignalled + assignment.killed_by));
    record::Notifier(job::notify_settings(file_)).ended(report);
    return report.exit_code;
  }

  record::Report begin_report() const {
    record::Report report;
    report.id = options_.run_id;
    report.name = name_;
    report.is_job = true;
    report.started = base::system_now();
    if (job_) report.description = job_->description;
    return report;
  }

  /// A job that cannot even begin is told like one that failed.
  record::Report run_and_notify() {
    record::Report so_far = begin_report();
    if (options_.dry_run) return run(so_far);
    const record::Notifier notifier(job::notify_settings(file_));
    options_.on_start = [&] { notifier.started(); };
    try {
      record::Report report = run(so_far);
      end_progress();
      notifier.ended(report);
      return report;
    } catch (const std::exception& error) {
      end_progress();
      const Ending ending = ending_of(error);
      so_far.errors.push_back(base::hide_passwords(ending.what));
      so_far.exit_code = ending.exit_code;
      so_far.duration = base::system_now() - so_far.started;
      notifier.could_not_run(so_far);
      throw;
    }
  }

  /// `so_far` learns what is known before the run begins.
  record::Report run(record::Report& so_far) {
    if (wrong_) std::rethrow_exception(wrong_);
    so_far.redis = url_->to_string();
    const task::Catalog catalog = catalog_of(parsed_);
    job::check_job(*job_, catalog);
    options_.deadline = deadline_of(parsed_, job_->timeout);
    const redis::Endpoint endpoint(*url_, connection_options(options_.deadline));
    record::Report report = job::run_job(*job_, catalog, endpoint, options_);
    report.is_job = true;
    return report;
  }

  const cxxopts::ParseResult& parsed_;
  fs::path file_;
  std::string name_;
  job::RunnerOptions options_;
  // The job, and the Redis that it is for, or what is wrong with either.
  std::optional<job::Job> job_;
  std::optional<redis::Url> url_;
  std::exception_ptr wrong_;
  std::optional<health::Level> verdict_;  ///< of the last run
};

}  // namespace

base::ExitCode job_command(const Arguments& arguments) {
  Parser parser("job NAME [options]",
                "Runs one job of schedules/ now: its steps, then its checks.");
  parser.take_positional("job", "the job: a name (see `moonshift jobs`) or a .toml file");
  parser.add("Run")("schedules",
                    "where the jobs are. Default: ./schedules, else /etc/moonshift/schedules",
                    cxxopts::value<std::string>(),
                    "DIR")("scheduled",
                           "as a timer runs it: wait for a Redis that is gone, try again as often "
                           "as the job's `retries` "
                           "say, and do nothing if another host has run it for its last time")(
      "unit",
      "as moonshift@NAME.service does: --scheduled, and the name is escaped as in a unit's");
  parser.add_run_options();
  parser.add_redis_options();
  parser.add_output_options();
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  JobRuns runs(*parsed, file_of_job(*parsed));
  if (const auto assignment = service::take_assignment()) return runs.for_daemon(*assignment);
  return parsed->count("scheduled") + parsed->count("unit") > 0 ? runs.for_timer() : runs.by_hand();
}

}  // namespace moonshift::cli
