#include "cli/common.hpp"

namespace moonshift::cli {

base::ExitCode job_command(const Arguments& arguments) {
  Parser parser("job NAME [options]",
                "Runs one job of schedules/ now: its steps, then its checks.");
  parser.take_positional("job", "the job: a name (see `moonshift jobs`) or a .toml file");
  parser.add("Run")("schedules",
                    "where the jobs are. Default: ./schedules, else /etc/moonshift/schedules",
                    cxxopts::value<std::string>(), "DIR");
  parser.add_run_options();
  parser.add_redis_options();
  parser.add_output_options();
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const job::Job job =
      job::read_job(job::find_job(one_positional(*parsed, "job"), schedules_of(*parsed)));
  const task::Catalog catalog = catalog_of(*parsed);
  job::check_job(job, catalog);
  const base::SteadyTime deadline = deadline_of(*parsed, job.timeout);
  const auto options = runner_options(*parsed, deadline);
  const redis::Endpoint endpoint(url_of(*parsed, job.url), connection_options(deadline));
  record::Report report = job::run_job(job, catalog, endpoint, options);
  report.is_job = true;
  return print_report(*parsed, report);
}

}  // namespace moonshift::cli
