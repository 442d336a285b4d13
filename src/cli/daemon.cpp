#include <fmt/format.h>

#include "base/error.hpp"
#include "base/host.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/parse.hpp"
#include "cli/common.hpp"
#include "record/last_verdict.hpp"
#include "service/daemon.hpp"
#include "service/last_run.hpp"
#include "service/processes.hpp"
#include "service/redis_poll.hpp"
#include "service/service_manager.hpp"

namespace moonshift::cli {

namespace {

namespace fs = std::filesystem;

std::size_t max_parallel_of(const cxxopts::ParseResult& parsed) {
  if (parsed.count("max-parallel") == 0) return service::Planner::Options().max_parallel;
  const std::string text = parsed["max-parallel"].as<std::string>();
  const auto count = base::parse_number<std::size_t>(text);
  if (!count || *count == 0)
    throw base::ConfigError(fmt::format("--max-parallel: '{}' is no whole number above 0", text));
  return *count;
}

service::DaemonOptions daemon_options(const cxxopts::ParseResult& parsed) {
  service::DaemonOptions options;
  options.planner = {.max_parallel = max_parallel_of(parsed), .host = base::host_name()};
  if (parsed.count("stop-timeout") > 0)
    options.stop_timeout = positive_duration(parsed, "stop-timeout");
  options.watchdog = service::watchdog_interval();
  return options;
}

/// What every run is given of our own options.
std::vector<std::string> run_options_of(const cxxopts::ParseResult& parsed) {
  std::vector<std::string> words;
  for (const char* option : {"scripts", "url-file"}) {
    if (parsed.count(option) == 0) continue;
    words.insert(words.end(), {fmt::format("--{}", option), parsed[option].as<std::string>()});
  }
  if (parsed.count("verbose") > 0) words.emplace_back("--verbose");
  return words;
}

}  // namespace

base::ExitCode daemon_command(const Arguments& arguments) {
  service::SystemClock::block_signals();  // one that comes early is not lost
  if (base::Interrupt::signal() != 0) return base::ExitCode::kStopped;
  base::survive_broken_pipes();
  Parser parser("daemon [options]",
                "Runs the jobs of schedules/ at their times, each in a process of its own. SIGHUP, "
                "or a change in the directory, reads them anew; SIGTERM ends.");
  parser.add()("schedules",
               "where the jobs are. Default: ./schedules, else /etc/moonshift/schedules",
               cxxopts::value<std::string>(),
               "DIR")("max-parallel", "how many jobs may run at once. Default: 4",
                      cxxopts::value<std::string>(), "N")(
      "stop-timeout", "how long running jobs may take to end between two batches. Default: 30s",
      cxxopts::value<std::string>(), "DURATION")(
      "url-file",
      "the Redis of jobs that name none: the URL on the first line of a file. Default: $REDIS_URL",
      cxxopts::value<std::string>(), "FILE");
  parser.add("Output")("q,quiet", "log only what went wrong")("v,verbose",
                                                              "log what happens underneath")(
      "scripts", "scripts of your own; they win over the built-in ones",
      cxxopts::value<std::string>(), "DIR");
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;
  if (parsed->count("quiet") == 0 && parsed->count("verbose") == 0)
    base::set_up_log(base::LogLevel::kInfo);

  const fs::path directory = schedules_of(*parsed);
  if (!fs::is_directory(directory))
    throw base::ConfigError(fmt::format("{}: there is no such directory of jobs (see --schedules)",
                                        directory.string()));
  if (const std::string doubt = schedule::Zone::local().doubt(); !doubt.empty())
    base::log_warning("{}", doubt);
  const auto options = daemon_options(*parsed);
  const fs::path state_directory = record::state_directory();
  const service::FileLock lock = service::lock_for_daemon(state_directory);
  const service::StateFile state_file(state_directory / service::kStateFile);
  const task::Catalog catalog = catalog_of(*parsed);
  service::JobDirectory jobs(directory, state_directory / "daemon-jobs", [&](const fs::path& file) {
    job::Job job = job::read_job(file);
    job::check_job(job, catalog);
    return job;
  });
  service::SystemClock clock(directory);
  service::Processes processes(clock, run_options_of(*parsed));
  service::RedisPoll redis_poll(clock,
                                [&](const std::string& url) { return url_of(*parsed, url); });
  const service::World world{clock,
                             processes,
                             redis_poll,
                             [&] { return jobs.load(); },
                             [&](const service::State& state) { state_file.save(state); },
                             service::notify_service_manager};
  service::Daemon(world, options, state_file.load()).run();
  return base::ExitCode::kDone;
}

}  // namespace moonshift::cli
