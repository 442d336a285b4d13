#include "service/daemon.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/error.hpp"
#include "base/log.hpp"
#include "job/notify_file.hpp"

namespace moonshift::service {

namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

Daemon::Daemon(World world, DaemonOptions options, State state)
    : world_(std::move(world)),
      options_(std::move(options)),
      planner_(options_.planner, state),
      saved_(std::move(state)) {}

void Daemon::run() {
  reload();
  world_.notify("READY=1");
  for (;;) {
    const Moment now = world_.clock.now();
    take_news(now);
    start_due(now);
    remember();
    if (stopping_ && planner_.running() == 0) return;
    tell(now);
    const Wake wake = world_.clock.wait(next_wake(now));
    if (wake.reload && !stopping_) {
      world_.notify("RELOADING=1");
      reload();
      world_.notify("READY=1");
    }
    const Moment later = world_.clock.now();
    if (wake.stop) stop_or_kill(later);
    if (kill_at_ && later.boot >= *kill_at_) {
      world_.launcher.kill();
      kill_at_.reset();
    }
  }
}

void Daemon::reload() {
  const std::vector<job::Job> jobs = world_.load_jobs();
  planner_.set_jobs(jobs, world_.clock.now());
  base::log_info("{} of {} jobs have times",
                 std::count_if(jobs.begin(), jobs.end(),
                               [](const job::Job& job) { return job.schedule.has_value(); }),
                 jobs.size());
}

void Daemon::take_news(Moment now) {
  for (const Launcher::Ended& ended : world_.launcher.collect())
    planner_.ended(ended.run_id, ended.exit_code, now);
  for (const RedisWatch::Answer& answer : world_.redis_watch.answers())
    planner_.answered(answer.redis, answer.reachable, now);
}

void Daemon::start_due(Moment now) {
  for (const Run& run : planner_.start_due(now)) {
    // A crash must find in the state what had begun.
    remember();
    world_.launcher.start(run);
  }
  world_.redis_watch.watch(planner_.awaited());
}

void Daemon::remember() {
  State state = planner_.state();
  if (state == saved_) return;
  try {
    world_.save(state);
    saved_ = std::move(state);
  } catch (const std::exception& error) {
    base::log_warning("the state is not saved: {}", error.what());
  }
}

void Daemon::tell(Moment now) {
  world_.notify("STATUS=" + planner_.status(now));
  if (options_.watchdog) world_.notify("WATCHDOG=1");
}

void Daemon::stop_or_kill(Moment now) {
  if (std::exchange(stopping_, true)) {  // whoever insists is obeyed
    kill_at_ = now.boot;
    return;
  }
  base::log_info("stopping; {} runs are to end within {}", planner_.running(),
                 base::format_duration(options_.stop_timeout));
  world_.notify("STOPPING=1");
  planner_.stop();
  world_.launcher.terminate();
  kill_at_ = now.boot + options_.stop_timeout;
}

WakeTime Daemon::next_wake(Moment now) const {
  WakeTime wake = planner_.next_wake();
  if (kill_at_) wake.boot = *kill_at_;
  if (options_.watchdog) {
    const base::Duration beat = now.boot + *options_.watchdog / 2;
    wake.boot = std::min(wake.boot.value_or(beat), beat);
  }
  return wake;
}

JobDirectory::JobDirectory(fs::path directory, fs::path copies, Read read)
    : directory_(std::move(directory)), copies_(std::move(copies)), read_(std::move(read)) {}

std::vector<job::Job> JobDirectory::load() {
  std::map<fs::path, Known> jobs;
  for (const auto& file : files()) {
    const auto old = jobs_.find(file);
    try {
      Known known = read_whole(file);
      use_copy(file, known);
      jobs.insert_or_assign(file, std::move(known));
    } catch (const std::exception& error) {
      base::log_warning("{}; {}", error.what(),
                        old == jobs_.end() ? "the job does not run" : "the job stays as it was");
      if (old != jobs_.end()) jobs.insert(*old);
    }
  }
  jobs_ = std::move(jobs);
  remove_stale_copies();
  std::vector<job::Job> list;
  for (const auto& [file, known] : jobs_) list.push_back(known.job);
  return list;
}

std::vector<fs::path> JobDirectory::files() const {
  try {
    return job::job_files(directory_);
  } catch (const std::exception& error) {
    base::log_warning("{}; all jobs stay as they were", error.what());
    std::vector<fs::path> files;
    for (const auto& [file, known] : jobs_) files.push_back(file);
    return files;
  }
}

JobDirectory::Known JobDirectory::read_whole(const fs::path& file) const {
  std::string text = read_text(file);
  for (int i = 0; i < 3; ++i) {
    job::Job job = read_(file);
    std::string again = read_text(file);
    if (again == text) return {std::move(job), std::move(text)};
    text = std::move(again);
  }
  throw base::ConfigError(fmt::format("{}: it is being written", file.string()));
}

void JobDirectory::use_copy(const fs::path& file, Known& known) const {
  try {
    make_copies_directory();
    const fs::path copy = copies_ / file.filename();
    if (!fs::exists(copy) || read_text(copy) != known.text) {
      const fs::path written = copy.string() + ".new";
      std::ofstream stream(written, std::ios::binary);
      stream << known.text;
      stream.close();
      if (!stream) throw std::system_error(errno, std::generic_category(), written.string());
      fs::rename(written, copy);
    }
    // What the jobs of a directory share is looked for beside each.
    const fs::path shared = copies_ / job::kSharedFile;
    const fs::path target = fs::absolute(directory_) / job::kSharedFile;
    if (!fs::is_symlink(shared) || fs::read_symlink(shared) != target) {
      const fs::path made = shared.string() + ".new";
      fs::remove(made);
      fs::create_symlink(target, made);
      fs::rename(made, shared);
    }
    known.job.path = copy.string();
  } catch (const std::exception& error) {
    base::log_warning("{}: its runs read it themselves: {}", file.string(), error.what());
  }
}

/// For nobody else: some jobs have a password in their url.
void JobDirectory::make_copies_directory() const {
  fs::create_directories(copies_.parent_path());
  if (::mkdir(copies_.c_str(), S_IRWXU) != 0 && errno != EEXIST)
    throw std::system_error(errno, std::generic_category(), copies_.string());
  std::error_code ignored;
  if (fs::equivalent(copies_, directory_, ignored))
    throw base::ConfigError(fmt::format("{} is the directory of jobs itself", copies_.string()));
  fs::permissions(copies_, fs::perms::owner_all);
}

/// Of jobs that are gone.
void JobDirectory::remove_stale_copies() const {
  std::error_code error;
  if (fs::equivalent(copies_, directory_, error)) return;
  std::set<fs::path> used{copies_ / job::kSharedFile};
  for (const auto& [file, known] : jobs_) used.insert(known.job.path);
  for (const auto& entry : fs::directory_iterator(copies_, error)) {
    if (!used.contains(entry.path())) fs::remove(entry.path(), error);
  }
}

}  // namespace moonshift::service
