#include "base/text.hpp"
#include "cli/common.hpp"

namespace moonshift::cli {

base::ExitCode verify_command(const Arguments& arguments) {
  Parser parser("verify [CHECK ...] [options]",
                "Runs the checks, all of checks/ unless some are named.");
  parser.take_positional("check", "a check: memory is short for checks/memory");
  parser.add_redis_options();
  parser.add_output_options();
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const task::Catalog catalog = catalog_of(*parsed);
  job::Job job;
  job.name = "verify";
  const auto add = [&](const std::string& script) { job.checks.push_back({script, {}, "", ""}); };
  if (parsed->count("check") > 0) {
    for (const std::string& name : (*parsed)["check"].as<std::vector<std::string>>()) {
      add(name.find('/') == std::string::npos ? "checks/" + name : name);
    }
  } else {
    for (const std::string& name : catalog.names()) {
      if (name.starts_with("checks/")) add(name);
    }
  }
  job::check_job(job, catalog);
  const base::SteadyTime deadline = deadline_of(*parsed);
  const redis::Endpoint endpoint(url_of(*parsed), connection_options(deadline));
  record::Report report = job::run_job(job, catalog, endpoint, runner_options(*parsed, deadline));
  report.is_job = true;
  report.description = "the checks";
  return print_report(*parsed, report);
}

}  // namespace moonshift::cli
