#include "service/processes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/exit_code.hpp"
#include "base/journal.hpp"
#include "base/log.hpp"
#include "service/assignment.hpp"
#include "service/retry.hpp"

namespace moonshift::service {

namespace {

/// So that a program that prints without end cannot fill our memory.
constexpr std::size_t kLongestLine = 16 << 10;

/// What the service manager tells the daemon alone.
constexpr std::array<std::string_view, 3> kNotForRuns{"NOTIFY_SOCKET=", "WATCHDOG_",
                                                      "JOURNAL_STREAM="};

/// What execvp() takes: pointers into the words, and a null.
std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

base::JournalFields fields_of(const Run& run) {
  return {{"MOONSHIFT_JOB", run.job}, {"MOONSHIFT_RUN", run.id}};
}

/// `output`: where the run prints to. Where our log goes to the journal, that of the run does too,
/// each line with its own level.
std::vector<std::string> environment_for(const Run& run, int killed_by, int output) {
  std::vector<std::string> environment = environment_of(Assignment{.run_id = run.id,
                                                                   .scheduled = run.scheduled,
                                                                   .may_wait = run.may_wait,
                                                                   .killed_by = killed_by});
  struct stat status {};
  if (base::stderr_is_journal() && ::fstat(output, &status) == 0)
    environment.push_back(fmt::format("JOURNAL_STREAM={}:{}", status.st_dev, status.st_ino));
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const bool ours = std::any_of(kNotForRuns.begin(), kNotForRuns.end(),
                                  [&](std::string_view name) { return text.starts_with(name); });
    if (!ours) environment.emplace_back(text);
  }
  return environment;
}

/// The process of `words`, a group of its own, so that a terminal's Ctrl-C reaches the daemon
/// alone. 0 if there can be none; errno says why.
pid_t spawn(std::vector<std::string> words, std::vector<std::string> environment, int output) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t child = 0;
  // This very program, also after a newer one was installed in its place.
  errno = ::posix_spawn(&child, "/proc/self/exe", &actions, &attributes, pointers_to(words).data(),
                        pointers_to(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return errno == 0 ? child : 0;
}

void log_end(const Run& run, int exit_code) {
  base::JournalFields fields = fields_of(run);
  fields["MOONSHIFT_EXIT_CODE"] = fmt::format("{}", exit_code);
  const base::JournalScope scope(fields);
  const bool well = exit_code == kAwaitsRedis || !is_failure(exit_code);
  base::log(well ? base::LogLevel::kInfo : base::LogLevel::kWarning,
            fmt::format("{} {}: {}", run.job, run.id, ending_of(exit_code)));
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Processes::Processes(SystemClock& clock, std::vector<std::string> options)
    : clock_(clock), options_(std::move(options)) {}

void Processes::start(const Run& run) {
  const base::JournalScope scope(fields_of(run));
  if (launch(run, 0)) {
    base::log_info("{} {}: begins, for {}", run.job, run.id, base::format_time(run.scheduled));
    return;
  }
  base::log_warning("{} {}: it cannot be started: {}", run.job, run.id, std::strerror(errno));
  not_started_.push_back({run.id, static_cast<int>(base::ExitCode::kFailed)});
  ::raise(SIGCHLD);  // so that collect() is called for it
}

/// False, and errno says why, if there can be no process.
bool Processes::launch(const Run& run, int killed_by) {
  std::vector<std::string> words{"moonshift", "job", run.file};
  words.insert(words.end(), options_.begin(), options_.end());
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return false;
  const redis::Descriptor theirs(pipe[1]);
  redis::Descriptor ours(pipe[0]);
  const pid_t child =
      spawn(std::move(words), environment_for(run, killed_by, theirs.get()), theirs.get());
  if (child == 0) return false;
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  clock_.add(ours.get());
  processes_.emplace(child, Process{run, killed_by, std::move(ours), ""});
  return true;
}

std::vector<Launcher::Ended> Processes::collect() {
  std::vector<Ended> ended = std::exchange(not_started_, {});
  for (auto& [child, process] : processes_) log_output(process);
  int status = 0;
  // As the first process of a container we get the orphans of others as well.
  for (pid_t child = 0; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto found = processes_.find(child);
    if (found == processes_.end()) continue;
    log_output(found->second);
    const Process process = std::move(processes_.extract(found).mapped());
    if (process.killed_by != 0) continue;
    const Run& run = process.run;
    const int exit_code = exit_code_of(status);
    log_end(run, exit_code);
    ended.push_back({run.id, exit_code});
    if (WIFSIGNALED(status) && !stopping_) launch(run, WTERMSIG(status));
  }
  return ended;
}

void Processes::log_output(Process& process) const {
  const base::JournalScope scope(fields_of(process.run));
  const auto log_line = [&] {
    base::log_info("{} {}: {}", process.run.job, process.run.id, process.line);
    process.line.clear();
  };
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = ::read(process.output.get(), buffer.data(), buffer.size())) > 0) {
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(count))) {
      if (c == '\n' || process.line.size() >= kLongestLine) log_line();
      if (c != '\n') process.line += c;
    }
  }
  if (count == 0) {  // closed: it would wake us for ever
    if (!process.line.empty()) log_line();
    process.output = redis::Descriptor();
  }
}

void Processes::terminate() {
  stopping_ = true;
  for (const auto& [child, process] : processes_) ::kill(child, SIGTERM);
}

void Processes::kill() {
  for (const auto& [child, process] : processes_) {
    const base::JournalScope scope(fields_of(process.run));
    base::log_warning("{} {}: it did not end in time", process.run.job, process.run.id);
    ::kill(-child, SIGKILL);
  }
}

}  // namespace moonshift::service
