#include "service/last_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "base/error.hpp"
#include "base/exit_code.hpp"
#include "base/log.hpp"

namespace moonshift::service {

namespace {

namespace fs = std::filesystem;

fs::path run_file(const fs::path& state_directory, const std::string& job) {
  return state_directory / "runs" / (job + ".json");
}

fs::path lock_of(const fs::path& file) { return file.string() + ".lock"; }

fs::path daemon_lock(const fs::path& state_directory) { return state_directory / "daemon.lock"; }

/// `lock` is held by whoever runs it.
JobRecord look_at(const StateFile& file, const std::string& job, const fs::path& lock) {
  const State state = file.look();
  const auto found = state.find(job);
  if (found == state.end()) return {};
  JobRecord record = found->second;
  if (record.running && FileLock::is_free(lock)) {
    record.running = false;
    record.exit_code = kCutOff;
  }
  return record;
}

}  // namespace

std::optional<FileLock> FileLock::try_take(const fs::path& path, Kind kind) {
  const auto fail = [&] { throw std::system_error(errno, std::generic_category(), path.string()); };
  redis::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0) fail();
  if (::flock(file.get(), (kind == Kind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
    return FileLock(std::move(file));
  if (errno != EWOULDBLOCK) fail();
  return std::nullopt;
}

bool FileLock::is_free(const fs::path& path) {
  const redis::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file.get() >= 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
}

FileLock lock_for_daemon(const fs::path& state_directory) {
  fs::create_directories(state_directory);
  // Who only looks at it has it for an instant.
  for (int i = 0; i < 20; ++i) {
    auto lock = FileLock::try_take(daemon_lock(state_directory), FileLock::Kind::kExclusive);
    if (lock) return std::move(*lock);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  throw base::ConfigError(
      fmt::format("{}: another daemon has its state there; give each its own STATE_DIRECTORY",
                  state_directory.string()));
}

RunRecorder::RunRecorder(const fs::path& state_directory, const std::string& job,
                         const std::string& schedule, const Beginning& beginning)
    : file_(run_file(state_directory, job)), job_(job) {
  try {
    const fs::path file = run_file(state_directory, job);
    fs::create_directories(file.parent_path());
    if (const State past = file_.load(); past.contains(job)) record_ = past.at(job);
    lock_ = FileLock::try_take(lock_of(file), FileLock::Kind::kShared);
  } catch (const std::exception& error) {
    base::log_debug("{}", error.what());  // save() will tell
  }
  record_.schedule = schedule;
  record_.handled = record_.scheduled = beginning.scheduled;
  record_.running = true;
  record_.run_id = beginning.run_id;
  record_.started = beginning.now;
  record_.ended.reset();
  record_.exit_code.reset();
  record_.verdict.reset();
  save();
}

void RunRecorder::ended(int exit_code, std::optional<health::Level> verdict, base::UnixTime now) {
  record_.running = false;
  record_.ended = now;
  record_.exit_code = exit_code;
  record_.verdict = verdict;
  if (exit_code == static_cast<int>(base::ExitCode::kDone)) record_.succeeded = now;
  save();
}

void RunRecorder::save() {
  try {
    file_.save({{job_, record_}});
  } catch (const std::exception& error) {
    base::log_warning("`moonshift jobs` will not know of this run: {}", error.what());
  }
}

bool is_later(const JobRecord& a, const JobRecord& b) {
  const auto end_of = [](const JobRecord& record) {
    return record.ended.value_or(record.started.value_or(record.handled));
  };
  return a.running != b.running ? a.running : end_of(a) > end_of(b);
}

JobRecord look_at_last_run(const fs::path& state_directory, const std::string& job) {
  JobRecord by_daemon =
      look_at(StateFile(state_directory / kStateFile), job, daemon_lock(state_directory));
  const fs::path file = run_file(state_directory, job);
  const JobRecord by_itself = look_at(StateFile(file), job, lock_of(file));
  if (by_itself.run_id.empty()) return by_daemon;
  if (by_itself.run_id == by_daemon.run_id) {
    by_daemon.verdict = by_itself.verdict;
    return by_daemon;
  }
  return is_later(by_itself, by_daemon) ? by_itself : by_daemon;
}

}  // namespace moonshift::service
