#include "service/simulation.hpp"

#include <algorithm>
#include <fstream>

#include "base/log.hpp"
#include "support/script_directory.hpp"

namespace moonshift::test {

using service::Moment;
using std::chrono::milliseconds;

Simulation::Simulation(const std::string& start) {
  base::set_up_log(base::LogLevel::kError);  // a year says much
  moment_.wall = began_ = base::parse_time(start);
}

void Simulation::add_job(const std::string& name, const std::string& text) {
  const ScriptDirectory directory;
  const auto path = directory.path() / (name + ".toml");
  std::ofstream(path) << text << "\n[[step]]\nscript = 'bullmq/clean'\n";
  std::erase_if(jobs_, [&](const job::Job& job) { return job.name == name; });
  jobs_.push_back(job::read_job(path));
}

void Simulation::at(const std::string& time, std::function<void()> act) {
  plans_.emplace(base::parse_time(time) - began_, std::move(act));
}

void Simulation::advance(Duration by) {
  moment_.boot += by;
  moment_.wall += std::chrono::ceil<milliseconds>(by);
}

void Simulation::sleep(Duration duration) { advance(duration); }

void Simulation::run_until(const std::string& end, bool crash) {
  wake_ = {};
  crashes_ = false;
  watched_now_.clear();
  at(end, [this, crash] { (crash ? crashes_ : wake_.stop) = true; });
  service::World world{*this,
                       *this,
                       *this,
                       [this] { return hidden_ ? std::vector<job::Job>() : jobs_; },
                       [this](const service::State& saved) { state = saved; },
                       [this](const std::string& text) { told.push_back(text); }};
  service::DaemonOptions options;
  options.planner = {.max_parallel = max_parallel, .host = "web1"};
  try {
    service::Daemon(world, options, state).run();
  } catch (const Crash&) {
    running_.clear();
  }
}

service::Wake Simulation::wait(const service::WakeTime& until) {
  std::optional<Duration> next;
  const auto earlier = [&](Duration time) {
    if (!next || time < *next) next = time;
  };
  if (until.boot) earlier(*until.boot);
  if (until.wall) earlier(moment_.boot + (*until.wall - moment_.wall));
  if (!plans_.empty()) earlier(plans_.begin()->first);
  for (const Running& running : running_) earlier(running.ends);
  for (const std::string& redis : watched_now_) {
    const auto answer = answered_.find(redis);
    if (answer == answered_.end() || answer->second != redis_is_there)
      earlier(moment_.boot + std::chrono::milliseconds(500));
  }
  REQUIRE(next.has_value());  // else it would sleep for ever
  advance(std::max(*next - moment_.boot, Duration(0)));
  while (!plans_.empty() && plans_.begin()->first <= moment_.boot) {
    const auto act = plans_.begin()->second;
    plans_.erase(plans_.begin());
    act();
  }
  if (crashes_) throw Crash();
  return std::exchange(wake_, {});
}

void Simulation::start(const service::Run& run) {
  const Course how = course(run);
  running_.push_back({moment_.boot + how.takes, {run.id, how.exit_code}});
  most_at_once = std::max(most_at_once, running_.size());
  runs_.push_back(run);
  started_.push_back(moment_.wall);
}

std::vector<service::Launcher::Ended> Simulation::collect() {
  std::vector<Ended> ended;
  std::erase_if(running_, [&](const Running& running) {
    if (running.ends > moment_.boot) return false;
    ended.push_back(running.ended);
    return true;
  });
  return ended;
}

void Simulation::hide_jobs(bool hidden) {
  hidden_ = hidden;
  wake_.reload = true;
}

void Simulation::terminate() {
  if (never_stops) return;
  for (Running& running : running_) {
    running.ends = std::min(running.ends, moment_.boot + std::chrono::seconds(1));
    running.ended.exit_code = 4;
  }
}

void Simulation::kill() {
  for (Running& running : running_) running = {moment_.boot, {running.ended.run_id, 128 + 9}};
}

void Simulation::watch(const std::set<std::string>& redises) {
  if (redises == watched_now_) return;
  watched.push_back(redises);
  watched_now_ = redises;
  answered_.clear();
}

std::vector<service::RedisWatch::Answer> Simulation::answers() {
  std::vector<Answer> answers;
  for (const std::string& redis : watched_now_) {
    const auto [answer, first] = answered_.emplace(redis, !redis_is_there);
    if (answer->second != redis_is_there) answers.push_back({redis, redis_is_there});
    answer->second = redis_is_there;
  }
  return answers;
}

std::size_t Simulation::count(const std::string& job) const {
  return static_cast<std::size_t>(
      std::count_if(runs_.begin(), runs_.end(), [&](const auto& run) { return run.job == job; }));
}

std::string Simulation::starts(const std::string& job) const {
  std::string text;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (runs_[i].job != job) continue;
    text += (text.empty() ? "" : " ") + base::format_time(started_[i]).substr(0, 19) + "Z";
  }
  return text;
}

}  // namespace moonshift::test
