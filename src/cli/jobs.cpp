#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/common.hpp"
#include "record/table.hpp"

namespace moonshift::cli {

namespace {

std::string schedule_text(const job::Job& job) {
  if (job.schedule.empty()) return "by hand";
  return job.timezone.empty() ? job.schedule : fmt::format("{} ({})", job.schedule, job.timezone);
}

std::string steps_text(const job::Job& job) {
  std::vector<std::string> names;
  for (const job::Step& step : job.steps) names.push_back(step.script);
  for (const job::CheckCall& check : job.checks) names.push_back(check.script);
  return base::join(names);
}

nlohmann::ordered_json to_json(const job::Job& job) {
  nlohmann::ordered_json json{{"job", job.name},
                              {"path", job.path},
                              {"description", job.description},
                              {"schedule", job.schedule},
                              {"timezone", job.timezone},
                              {"steps", nlohmann::ordered_json::array()},
                              {"checks", nlohmann::ordered_json::array()}};
  for (const job::Step& step : job.steps) json["steps"].push_back(step.script);
  for (const job::CheckCall& check : job.checks) json["checks"].push_back(check.script);
  return json;
}

void print_jobs(const std::vector<job::Job>& jobs, bool as_json) {
  if (as_json) {
    auto list = nlohmann::ordered_json::array();
    for (const job::Job& job : jobs) list.push_back(to_json(job));
    std::cout << list.dump() << std::endl;
    return;
  }
  record::Table table({"job", "schedule", "description", "steps and checks"});
  for (const job::Job& job : jobs)
    table.add({job.name, schedule_text(job), job.description, steps_text(job)});
  std::cout << table.to_text();
}

}  // namespace

base::ExitCode jobs_command(const Arguments& arguments) {
  Parser parser("jobs [--check] [options]", "Lists the jobs of schedules/, or checks them.");
  parser.add()("check", "check every job, its scripts and their parameters, and run nothing")(
      "schedules", "where the jobs are. Default: ./schedules, else /etc/moonshift/schedules",
      cxxopts::value<std::string>(), "DIR");
  parser.add_output_options();
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const task::Catalog catalog = catalog_of(*parsed);
  const bool check = parsed->count("check") > 0;
  auto result = base::ExitCode::kDone;
  std::vector<job::Job> jobs;
  for (const auto& file : job::job_files(schedules_of(*parsed))) {
    try {
      jobs.push_back(job::read_job(file));
      if (check) job::check_job(jobs.back(), catalog);
    } catch (const base::ConfigError& error) {
      std::cerr << "moonshift: " << error.what() << "\n";
      result = base::ExitCode::kBadInput;
    }
  }
  print_jobs(jobs, parsed->count("json") > 0);
  return result;
}

}  // namespace moonshift::cli
