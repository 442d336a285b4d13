#include <algorithm>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "modes.hpp"

namespace bench {

namespace {

using namespace std::chrono_literals;

struct Task {
  std::string name;
  std::vector<std::string> parameters;
  std::string data;     // as data.lua calls it
  std::string outcome;  // of each item
  long orphans = 0;     // beside the jobs; they are then the items
};

const Task kTasks[] = {
    {"bullmq/clean", {}, "bullmq completed", "removed"},
    {"bullmq/retry-failed", {}, "bullmq failed", "retried"},
    {"bullmq/requeue-stalled", {"grace=0s"}, "bullmq stalled", "requeued"},
    {"bullmq/promote-overdue", {}, "bullmq delayed", "promoted"},
    {"bullmq/orphans", {"grace=0s", "repair=true"}, "bullmq completed", "removed", 1000},
    {"ratelimit/purge", {"pattern=rl:*"}, "leaked counters", "removed"},
    {"keys/delete", {"pattern=cache:*"}, "cache", "removed"},
    {"rq/clean", {}, "rq finished", "removed"},
    {"celery/clean", {}, "celery results", "removed"},
    {"sidekiq/clean", {}, "sidekiq dead", "removed"},
    {"sidekiq/promote-overdue", {}, "sidekiq scheduled", "promoted"},
};

std::string unknown(const std::string& name) {
  std::string text = "there are no measurements of a task '" + name + "'; there are of";
  for (const Task& known : kTasks) text += " " + known.name;
  return text;
}

std::vector<Task> tasks_called(const std::vector<std::string>& names) {
  if (names.empty()) return {std::begin(kTasks), std::end(kTasks)};
  std::vector<Task> tasks;
  for (const std::string& name : names) {
    const Task* task = std::find_if(std::begin(kTasks), std::end(kTasks),
                                    [&](const Task& known) { return known.name == name; });
    if (task == std::end(kTasks)) throw std::runtime_error(unknown(name));
    tasks.push_back(*task);
  }
  return tasks;
}

/// `2026-11-11T02:30:00`, in UTC.
std::string iso(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::ostringstream text;
  text << std::put_time(std::gmtime(&seconds), "%Y-%m-%dT%H:%M:%S");
  return text.str();
}

/// In steps, for one that took longer than five seconds would make Redis refuse other commands.
void fill(Redis& redis, const Task& task, long jobs) {
  constexpr long kStep = 10'000;
  std::ostringstream script;
  script << std::ifstream(std::string(BENCH_SOURCES) + "/data.lua").rdbuf();
  const auto load = redis.call({"SCRIPT", "LOAD", script.str()});
  const auto now = std::chrono::system_clock::now();
  const std::string milliseconds = std::to_string(now.time_since_epoch() / 1ms);
  const long last = jobs + task.orphans;
  for (long first = 1; first <= last; first += kStep) {
    redis.append({"EVALSHA", load->str, "0", task.data, std::to_string(first),
                  std::to_string(std::min(last, first + kStep - 1)), std::to_string(jobs),
                  milliseconds, iso(now - std::chrono::days(10))});
    redis.next();
    if (interrupted) throw std::runtime_error("interrupted");
  }
}

/// What `--json` told of the only step; warnings may stand in front of it.
nlohmann::json step_of(const std::string& output) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('{')) return nlohmann::json::parse(line);
  }
  throw std::runtime_error("there is no JSON in its output");
}

/// A list may shift while it is walked, so some items may be found again once they are done:
/// "gone".
void require_outcome(const nlohmann::json& step, const Task& task, long expected) {
  nlohmann::json outcomes = step.at("outcomes");
  outcomes.erase("gone");
  const nlohmann::json meant{{task.outcome, expected}};
  if (outcomes != meant) throw std::runtime_error("its outcomes are not " + meant.dump());
}

/// The columns after the name of the task.
void print_row(const std::string& name, const std::vector<std::string>& cells) {
  constexpr int kWidths[] = {9, 12, 12, 9, 12, 7, 9, 10, 9, 9};
  std::cout << std::left << std::setw(25) << name << std::right;
  for (std::size_t i = 0; i < cells.size(); ++i) std::cout << std::setw(kWidths[i]) << cells[i];
  std::cout << std::endl;
}

void measure_task(const Server& server, const std::string& program, const Task& task, long jobs) {
  Method method{task.name,
                {program, "run", task.name, "--url", "unix://" + server.socket(), "--json"}};
  for (const std::string& parameter : task.parameters)
    method.command.insert(method.command.end(), {"--param", parameter});
  const long items = task.orphans ? task.orphans : jobs;
  std::string engine;
  const Fill data = [&](Redis& redis) -> Check {
    fill(redis, task, jobs);
    return [&](Redis&, const std::string& output) {
      const nlohmann::json step = step_of(output);
      require_outcome(step, task, items);
      engine = step.at("engine");
    };
  };
  progress(task.name);
  const Measurement m = measure(server, method, data);
  progress("");
  const double seconds = m.usage.wall.count();
  print_row(task.name,
            {engine, thousands(jobs + task.orphans), thousands(items), fixed(seconds, 2),
             thousands(static_cast<long>(static_cast<double>(jobs + task.orphans) / seconds)),
             fixed(megabytes(m.usage), 1), fixed(m.redis_cpu.count(), 2), fixed(m.p50.count(), 2),
             fixed(m.p99.count(), 2), fixed(m.max.count(), 2)});
  require_little_memory(m.usage);
}

}  // namespace

void measure_tasks(const std::string& program, long jobs, const std::vector<std::string>& names) {
  const std::vector<Task> tasks = tasks_called(names);
  const Server server;
  std::cout << "Each task on " << thousands(jobs) << " jobs or keys of its own, Redis "
            << server.version() << " on a Unix socket\n\n";
  print_row("", {"", "", "", "", "", "", "Redis", "PING ms"});
  print_row("task",
            {"engine", "jobs", "done", "time s", "jobs/s", "MB", "CPU s", "p50", "p99", "max"});
  for (const Task& task : tasks) measure_task(server, program, task, jobs);
}

}  // namespace bench
