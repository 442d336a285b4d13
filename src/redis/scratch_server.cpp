#include "redis/scratch_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/text.hpp"
#include "redis/connection.hpp"
#include "redis/error.hpp"
#include "redis/info.hpp"

namespace moonshift::redis {

namespace {

namespace fs = std::filesystem;
using base::SteadyTime;
using Clock = std::chrono::steady_clock;

std::string find_server_program() {
  const char* path = std::getenv("PATH");
  for (const std::string_view name : {"redis-server", "valkey-server"}) {
    std::istringstream directories(path == nullptr ? "/usr/bin:/bin" : path);
    for (std::string directory; std::getline(directories, directory, ':');) {
      const fs::path program = fs::path(directory) / name;
      if (::access(program.c_str(), X_OK) == 0) return program;
    }
  }
  throw RedisError(RedisError::Kind::kNoServer,
                   "scratch: needs redis-server or valkey-server in PATH: install the package "
                   "redis-server or valkey-server");
}

std::string make_directory() {
  std::string pattern = (fs::temp_directory_path() / "moonshift-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw_system_error(errno, pattern);
  return pattern;
}

bool is_append_only(const std::pair<std::string, std::string>& option) {
  return option.first == "appendonly";
}

/// The server's command line. The snapshot is a link: Redis replaces its file when it saves, it
/// never writes into it, so the snapshot itself stays as it is.
std::vector<std::string> server_arguments(const std::string& program, const std::string& directory,
                                          const Url& url) {
  std::vector<std::string> arguments{
      program,   "--port", "0", "--unixsocket", directory + "/redis.sock", "--dir",
      directory, "--save", "",  "--logfile",    directory + "/redis.log"};
  for (const auto& option : url.options) {
    // With appendonly set at the start, Redis would look for its own files and ignore the snapshot.
    if (is_append_only(option)) continue;
    arguments.push_back("--" + option.first);
    arguments.push_back(option.second);
  }
  return arguments;
}

[[noreturn]] void run_server(std::vector<std::string> arguments, const std::string& log,
                             pid_t guardian) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != guardian) ::_exit(1);  // it died before the line above
  // What it says before it has opened its log, about its directives, goes there too.
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers[0], pointers.data());
  ::_exit(127);
}

/// Waits until the other end of `link` is closed, by us or by the kernel because we were killed;
/// then ends the server and removes the directory. Tells if the server ends before.
[[noreturn]] void guard(std::vector<std::string> arguments, const std::string& directory,
                        int link) {
  ::setsid();  // a Ctrl-C at the terminal is for the run, which still needs its server
  const pid_t guardian = ::getpid();
  const pid_t server = ::fork();
  if (server == 0) run_server(std::move(arguments), directory + "/redis.log", guardian);
  const int server_fd = static_cast<int>(::syscall(SYS_pidfd_open, server, 0));
  std::array<pollfd, 2> entries{pollfd{link, POLLIN, 0}, pollfd{server_fd, POLLIN, 0}};
  ::poll(entries.data(), entries.size(), -1);
  if (entries[0].revents == 0) {
    const char ended = 'E';
    [[maybe_unused]] const auto sent = ::send(link, &ended, 1, MSG_NOSIGNAL);
    ::poll(entries.data(), 1, -1);
  }
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  ::_exit(0);
}

}  // namespace

ScratchServer::ScratchServer(const Url& url, SteadyTime deadline) {
  const std::string program = find_server_program();
  std::error_code error;
  const fs::path snapshot = url.path.empty() ? fs::path() : fs::absolute(url.path);
  if (!snapshot.empty() && !fs::is_regular_file(snapshot, error)) {
    throw base::ConfigError(fmt::format("scratch: there is no snapshot {}", url.path));
  }
  directory_ = make_directory();
  if (!snapshot.empty()) fs::create_symlink(snapshot, directory_ + "/dump.rdb");
  url_.scheme = Url::Scheme::kUnix;
  url_.path = directory_ + "/redis.sock";
  url_.database = url.database;
  for (const auto& option : url.options) {
    directives_ += (directives_.empty() ? "" : ", ") + option.first;
  }

  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_system_error(errno, "socketpair");
  }
  guardian_ = Descriptor(ends[0]);
  const Descriptor theirs(ends[1]);
  const auto arguments = server_arguments(program, directory_, url);
  guardian_pid_ = ::fork();
  if (guardian_pid_ == 0) {
    ::close(ends[0]);
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    guard(arguments, directory_, ends[1]);
  }
  if (guardian_pid_ < 0) throw_system_error(errno, "fork");
  try {
    wait_ready(deadline);
    if (std::any_of(url.options.begin(), url.options.end(), [](const auto& option) {
          return is_append_only(option) && option.second == "yes";
        })) {
      set_append_only(deadline);
    }
  } catch (...) {
    guardian_ = Descriptor();
    ::waitpid(guardian_pid_, nullptr, 0);
    throw;
  }
}

ScratchServer::~ScratchServer() {
  guardian_ = Descriptor();
  ::waitpid(guardian_pid_, nullptr, 0);
}

void ScratchServer::wait_ready(SteadyTime deadline) {
  const SteadyTime patience = std::min(deadline, Clock::now() + std::chrono::seconds(30));
  for (;;) {
    pollfd entry{guardian_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 5) > 0) {
      // Redis 8 does not name a directive that it does not know.
      throw RedisError(RedisError::Kind::kNoServer,
                       fmt::format("scratch: the server{}{} ended before it was ready: {}",
                                   directives_.empty() ? "" : " with ", directives_, last_words()));
    }
    if (base::Interrupt::signal() != 0) {
      throw base::Aborted(base::Aborted::Reason::kSignal,
                          "interrupted while the scratch server started");
    }
    try {
      ConnectionOptions options;
      options.deadline = deadline;
      const Connection connection(url_, options);  // waits while the snapshot is loading
      return;
    } catch (const RedisError& error) {
      const bool starting =
          error.kind() == RedisError::Kind::kRefused || error.kind() == RedisError::Kind::kClosed;
      if (!starting || Clock::now() >= patience) throw;
    }
  }
}

void ScratchServer::set_append_only(SteadyTime deadline) {
  ConnectionOptions options;
  options.deadline = deadline;
  Connection connection(url_, options);
  connection.expect({"CONFIG", "SET", "appendonly", "yes"});
  const SteadyTime patience = std::min(deadline, Clock::now() + std::chrono::minutes(10));
  for (;;) {
    const Info info = Info::read(connection, "persistence");
    if (info.number("aof_rewrite_in_progress") == 0 && info.number("aof_rewrite_scheduled") == 0)
      return;
    if (Clock::now() >= patience) throw_system_error(ETIMEDOUT, "scratch: writing the first AOF");
    ::poll(nullptr, 0, 5);
  }
}

std::string ScratchServer::last_words() const {
  std::ifstream log(directory_ + "/redis.log");
  std::string line, said;
  while (std::getline(log, line)) {
    if (!line.empty())
      said = said.find("FATAL CONFIG") == std::string::npos ? line : said + " " + line;
  }
  return said.empty() ? "it left no log" : base::printable(said, 300);
}

}  // namespace moonshift::redis
