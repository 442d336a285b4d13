#include "support/server.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace moonshift::test {

namespace {

redis::Url scratch_url(const std::string& options) {
  return redis::parse_url(options.empty() ? "scratch:" : "scratch:?" + options);
}

}  // namespace

Server::Server(const std::string& options)
    : endpoint_(scratch_url(options), redis::ConnectionOptions{}),
      connection_(endpoint_.connect()) {}

redis::Reply Server::call(const std::vector<std::string>& command) {
  return connection_.call(std::vector<std::string_view>(command.begin(), command.end()));
}

std::string Server::dataset() {
  redis::Reply keys = call({"KEYS", "*"});
  std::sort(keys.elements.begin(), keys.elements.end(),
            [](const redis::Reply& a, const redis::Reply& b) { return a.text < b.text; });
  std::string text;
  for (const redis::Reply& key : keys.elements) {
    const bool persistent = integer({"PTTL", key.text}) == -1;
    text += key.text + (persistent ? " " : " with a TTL ") + call({"DUMP", key.text}).text + "\n";
  }
  return text;
}

bool run_and_kill(const std::function<void()>& run, const std::function<bool()>& now) {
  const pid_t child = ::fork();
  if (child == 0) {
    run();
    ::_exit(0);
  }
  int status = 0;
  while (!now()) {
    if (::waitpid(child, &status, WNOHANG) == child) return false;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

}  // namespace moonshift::test
