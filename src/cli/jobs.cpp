#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/text.hpp"
#include "cli/common.hpp"
#include "job/notify_file.hpp"
#include "record/last_verdict.hpp"
#include "record/table.hpp"
#include "service/last_run.hpp"

namespace moonshift::cli {

namespace {

constexpr int kMostTimes = 1000;

/// The package's; those of its services, see systemd/.
constexpr const char* kSystemSchedules = "/etc/moonshift/schedules";
constexpr const char* kSystemState = "/var/lib/moonshift";

/// A job, and what there is to tell about its times.
struct Listed {
  job::Job job;
  service::JobRecord record;  ///< empty if nobody knows of one
  std::vector<std::chrono::sys_seconds> next;
  std::optional<base::UnixTime> overdue_since;
};

int count_of(const cxxopts::ParseResult& parsed) {
  if (parsed.count("next") == 0) return 1;
  const std::string text = parsed["next"].as<std::string>();
  const auto count = base::parse_number<int>(text);
  if (!count || *count < 1 || *count > kMostTimes) {
    throw base::ConfigError(
        fmt::format("--next: '{}' is no whole number from 1 to {}", text, kMostTimes));
  }
  return *count;
}

/// Where the daemon and the runs leave what they know.
std::vector<std::filesystem::path> state_directories(const std::filesystem::path& schedules) {
  std::vector<std::filesystem::path> directories;
  try {
    directories.push_back(record::state_directory());
  } catch (const base::ConfigError&) {  // no home: nobody ran anything there
  }
  if (schedules == kSystemSchedules) directories.emplace_back(kSystemState);
  return directories;
}

service::JobRecord last_run_of(const std::string& job,
                               const std::vector<std::filesystem::path>& directories) {
  service::JobRecord last;
  for (const auto& directory : directories) {
    const service::JobRecord record = service::look_at_last_run(directory, job);
    if (service::is_later(record, last)) last = record;
  }
  return last;
}

Listed look_at(const job::Job& job, const service::JobRecord& last_run, int count) {
  const base::UnixTime now = base::system_now();
  Listed listed{job, last_run, {}, {}};
  if (last_run.handled != base::UnixTime())
    listed.overdue_since = service::overdue_since(job, last_run, now);
  if (!job.schedule) return listed;
  for (auto time = job.schedule->next(now); time && count > 0; --count) {
    listed.next.push_back(*time);
    time = job.schedule->next(*time);
  }
  return listed;
}

std::string schedule_text(const job::Job& job) {
  return job.schedule ? job.schedule->describe() : "by hand";
}

std::string last_run_text(const service::JobRecord& record) {
  return record.started ? utc_text(std::chrono::floor<std::chrono::seconds>(*record.started)) : "";
}

std::string verdict_text(const Listed& listed) {
  if (listed.overdue_since) {
    return fmt::format("overdue since {}",
                       utc_text(std::chrono::floor<std::chrono::seconds>(*listed.overdue_since)));
  }
  if (listed.record.running) return "running";
  if (!listed.record.exit_code) return "";
  const std::string ending = service::ending_of(*listed.record.exit_code);
  return listed.record.verdict == health::Level::kWarning ? ending + " (warning)" : ending;
}

std::string steps_text(const job::Job& job) {
  std::vector<std::string> names;
  for (const job::Step& step : job.steps) names.push_back(step.script);
  for (const job::CheckCall& check : job.checks) names.push_back(check.script);
  return base::join(names);
}

nlohmann::ordered_json time_or_null(const std::optional<base::UnixTime>& time) {
  if (!time) return nullptr;
  return base::format_time(*time);
}

nlohmann::ordered_json to_json(const service::JobRecord& record) {
  if (record.run_id.empty()) return nullptr;
  nlohmann::ordered_json json{{"run", record.run_id},
                              {"scheduled", base::format_time(record.scheduled)},
                              {"started", time_or_null(record.started)},
                              {"ended", time_or_null(record.ended)},
                              {"running", record.running},
                              {"exit_code", nullptr},
                              {"ending", ""},
                              {"verdict", nullptr},
                              {"succeeded", time_or_null(record.succeeded)}};
  if (record.exit_code) {
    json["exit_code"] = *record.exit_code;
    json["ending"] = service::ending_of(*record.exit_code);
  }
  if (record.verdict) json["verdict"] = health::name_of(*record.verdict);
  return json;
}

nlohmann::ordered_json to_json(const Listed& listed) {
  const job::Job& job = listed.job;
  nlohmann::ordered_json json{{"job", job.name},
                              {"path", job.path},
                              {"description", job.description},
                              {"schedule", job.schedule ? job.schedule->expression() : ""},
                              {"words", job.schedule ? job.schedule->describe() : ""},
                              {"timezone", job.schedule ? job.schedule->zone().name() : ""},
                              {"next", nlohmann::ordered_json::array()},
                              {"last_run", to_json(listed.record)},
                              {"overdue_since", time_or_null(listed.overdue_since)},
                              {"steps", nlohmann::ordered_json::array()},
                              {"checks", nlohmann::ordered_json::array()}};
  for (const auto time : listed.next) json["next"].push_back(utc_text(time));
  for (const job::Step& step : job.steps) json["steps"].push_back(step.script);
  for (const job::CheckCall& check : job.checks) json["checks"].push_back(check.script);
  return json;
}

/// A line for each of its next times; all else is told in the first.
void add_rows(record::Table& table, const Listed& listed) {
  const job::Job& job = listed.job;
  const auto time_text = [&](std::size_t i) -> std::pair<std::string, std::string> {
    if (i >= listed.next.size()) return {};
    return {zone_text(job.schedule->zone(), listed.next[i]),
            zone_text(schedule::Zone::local(), listed.next[i])};
  };
  const auto [there, here] = time_text(0);
  table.add({job.name, schedule_text(job), there, here, last_run_text(listed.record),
             verdict_text(listed), job.description, steps_text(job)});
  for (std::size_t i = 1; i < listed.next.size(); ++i) {
    const auto [next_there, next_here] = time_text(i);
    table.add({"", "", next_there, next_here, "", "", "", ""});
  }
}

void print_jobs(const std::vector<Listed>& jobs, bool as_json) {
  if (as_json) {
    auto list = nlohmann::ordered_json::array();
    for (const Listed& job : jobs) list.push_back(to_json(job));
    // A file's name need not be UTF-8.
    std::cout << list.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << std::endl;
    return;
  }
  if (const std::string doubt = schedule::Zone::local().doubt(); !doubt.empty())
    std::cerr << "moonshift: " << doubt << "\n";
  record::Table table({"job", "when", "next", "local time", "last run", "verdict", "description",
                       "steps and checks"});
  for (const Listed& job : jobs) add_rows(table, job);
  std::cout << table.to_text();
}

}  // namespace

base::ExitCode jobs_command(const Arguments& arguments) {
  Parser parser("jobs [--check] [options]", "Lists the jobs of schedules/, or checks them.");
  parser.add()("next", "how many of their next times. Default: 1", cxxopts::value<std::string>(),
               "N")("check", "check every job, its scripts and their parameters, and run nothing")(
      "schedules", "where the jobs are. Default: ./schedules, else /etc/moonshift/schedules",
      cxxopts::value<std::string>(), "DIR");
  parser.add_output_options();
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const task::Catalog catalog = catalog_of(*parsed);
  const bool check = parsed->count("check") > 0;
  const std::filesystem::path directory = schedules_of(*parsed);
  auto result = base::ExitCode::kDone;
  const auto tell_if_wrong = [&](const auto& look) {
    try {
      look();
    } catch (const base::ConfigError& error) {
      std::cerr << "moonshift: " << error.what() << "\n";
      result = base::ExitCode::kBadInput;
    }
  };
  const int count = count_of(*parsed);
  const auto states = state_directories(directory);
  std::vector<Listed> jobs;
  for (const auto& file : job::job_files(directory)) {
    tell_if_wrong([&] {
      const job::Job job = job::read_job(file);
      jobs.push_back(look_at(job, last_run_of(job.name, states), count));
      if (check) job::check_job(job, catalog);
    });
  }
  if (check) tell_if_wrong([&] { job::read_shared_notify(directory); });
  print_jobs(jobs, parsed->count("json") > 0);
  return result;
}

}  // namespace moonshift::cli
