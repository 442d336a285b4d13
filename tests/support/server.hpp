#pragma once

#include <functional>
#include <string>
#include <vector>

#include "redis/endpoint.hpp"

namespace moonshift::test {

/// A real redis-server of the test's own, and a connection to arrange and look at its data.
class Server {
 public:
  /// `options` are redis.conf directives: "maxmemory=10mb&requirepass=x".
  explicit Server(const std::string& options = "");

  const redis::Endpoint& endpoint() const { return endpoint_; }
  const redis::Url& url() const { return endpoint_.url(); }

  redis::Reply call(const std::vector<std::string>& command);
  std::int64_t integer(const std::vector<std::string>& command) { return call(command).integer; }
  std::string text(const std::vector<std::string>& command) { return call(command).text; }

  /// Every key with its type, value and whether it has a TTL, as text that can be compared.
  std::string dataset();

 private:
  redis::Endpoint endpoint_;
  redis::Connection connection_;
};

/// Runs `run` in a process of its own, and kills that with SIGKILL as soon as `now` holds. False if
/// it came to its end before.
bool run_and_kill(const std::function<void()>& run, const std::function<bool()>& now);

/// Looks again and again until the condition holds; false after ten seconds.
bool eventually(const std::function<bool()>& condition);

}  // namespace moonshift::test
