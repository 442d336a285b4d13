#include <cstdlib>

#include "base/journal.hpp"
#include "base/text.hpp"
#include "cli/common.hpp"
#include "cli/progress.hpp"
#include "job/notify_file.hpp"
#include "record/notifier.hpp"
#include "service/units.hpp"

namespace moonshift::cli {

namespace {

namespace fs = std::filesystem;

std::string name_of_job(const cxxopts::ParseResult& parsed) {
  const std::string name = one_positional(parsed, "job");
  return parsed.count("escaped") > 0 ? service::unescape_instance(name) : name;
}

record::Report run(const cxxopts::ParseResult& parsed, const fs::path& file,
                   job::RunnerOptions& options, record::Report& so_far) {
  const job::Job job = job::read_job(file);
  so_far.description = job.description;
  const task::Catalog catalog = catalog_of(parsed);
  job::check_job(job, catalog);
  options.deadline = deadline_of(parsed, job.timeout);
  const redis::Url url = url_of(parsed, job.url);
  so_far.redis = url.to_string();
  const redis::Endpoint endpoint(url, connection_options(options.deadline));
  record::Report report = job::run_job(job, catalog, endpoint, options);
  report.is_job = true;
  return report;
}

/// A job that cannot even begin is told like one that failed.
record::Report run_and_notify(const cxxopts::ParseResult& parsed, const fs::path& file,
                              job::RunnerOptions& options) {
  record::Report so_far;
  so_far.id = options.run_id;
  so_far.name = file.stem().string();
  so_far.is_job = true;
  so_far.started = base::system_now();
  if (options.dry_run) return run(parsed, file, options, so_far);
  const record::Notifier notifier(job::notify_settings(file));
  options.on_start = [&] { notifier.started(); };
  try {
    record::Report report = run(parsed, file, options, so_far);
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

}  // namespace

base::ExitCode job_command(const Arguments& arguments) {
  Parser parser("job NAME [options]",
                "Runs one job of schedules/ now: its steps, then its checks.");
  parser.take_positional("job", "the job: a name (see `moonshift jobs`) or a .toml file");
  parser.add("Run")("schedules",
                    "where the jobs are. Default: ./schedules, else /etc/moonshift/schedules",
                    cxxopts::value<std::string>(), "DIR")(
      "escaped", "the name is escaped as in a unit's name, see systemd-escape(1)");
  parser.add_run_options();
  parser.add_redis_options();
  parser.add_output_options();
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const fs::path file = job::find_job(name_of_job(*parsed), schedules_of(*parsed));
  const char* given_id = std::getenv("MOONSHIFT_RUN_ID");  // by the daemon, which logs it
  const std::string run_id =
      given_id == nullptr ? record::make_run_id(base::system_now()) : given_id;
  base::set_journal_fields({{"MOONSHIFT_JOB", file.stem().string()}, {"MOONSHIFT_RUN", run_id}});
  auto options = runner_options(*parsed, base::kNever);
  options.run_id = run_id;
  const record::Report report = run_and_notify(*parsed, file, options);
  return print_report(*parsed, report);
}

}  // namespace moonshift::cli
