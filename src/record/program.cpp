#include "record/program.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "record/patience.hpp"

namespace moonshift::record {

namespace {

using base::Duration;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {
    if (number < 0) throw std::system_error(errno, std::generic_category());
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }

 private:
  int number_;
};

/// A file in memory: a program that does not read, or slowly, cannot block us as a pipe would.
class InputFile {
 public:
  explicit InputFile(const std::string& text) : file_(::memfd_create("report", MFD_CLOEXEC)) {
    for (std::size_t at = 0; at < text.size();) {
      const auto written = ::write(file_.number(), text.data() + at, text.size() - at);
      if (written < 0) throw std::system_error(errno, std::generic_category());
      at += static_cast<std::size_t>(written);
    }
    ::lseek(file_.number(), 0, SEEK_SET);
  }

  int number() const { return file_.number(); }

 private:
  Descriptor file_;
};

pid_t start(const std::vector<std::string>& words, int input) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t process = 0;
  const int error =
      ::posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw std::runtime_error(fmt::format("it cannot be started: {}", std::strerror(error)));
  return process;
}

bool ends_within(pid_t process, Patience& patience) {
  const Descriptor watch(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.left()).count();
    std::array<pollfd, 2> entries{{{watch.number(), POLLIN, 0}, {patience.wake_fd(), POLLIN, 0}}};
    ::poll(entries.data(), entries.size(), static_cast<int>(std::max<long>(left, 0)));
    if (entries[0].revents != 0) return true;
    if (left <= 0) return false;
  }
}

}  // namespace

void run_program(const std::vector<std::string>& words, const std::string& input,
                 Duration timeout) {
  const InputFile file(input);
  const pid_t process = start(words, file.number());
  Patience patience(timeout);
  const bool ended = ends_within(process, patience);
  if (!ended) ::kill(-process, SIGKILL);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended)
    throw std::runtime_error(
        fmt::format("it took longer than {} and was killed", patience.describe()));
  if (WIFSIGNALED(status))
    throw std::runtime_error(fmt::format("it was ended by signal {}", WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0)
    throw std::runtime_error(fmt::format("it failed with exit status {}", WEXITSTATUS(status)));
}

}  // namespace moonshift::record
