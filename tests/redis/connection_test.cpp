#include "redis/connection.hpp"

#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "redis/error.hpp"
#include "redis/info.hpp"
#include "support/server.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using redis::Connection;
using redis::ConnectionOptions;
using redis::RedisError;
using redis::Reply;
using test::Server;

namespace {

std::optional<RedisError::Kind> kind_of_failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const RedisError& error) {
    return error.kind();
  }
  return std::nullopt;
}

struct Collected : redis::ReplyHandler {
  std::vector<Reply> replies;
  void on_reply(Reply reply) override { replies.push_back(std::move(reply)); }
};

}  // namespace

TEST_CASE("queued commands go out together and are answered in order") {
  Server server;
  Connection connection = server.endpoint().connect();
  const auto writes = connection.totals().writes;
  Collected collected;
  for (int i = 0; i < 1000; ++i) {
    const std::string number = std::to_string(i);
    connection.submit(std::vector<std::string_view>{"ECHO", number}, collected);
  }
  while (collected.replies.size() < 1000) connection.step(base::kNever);
  for (std::size_t i = 0; i < 1000; ++i) REQUIRE(collected.replies[i].text == std::to_string(i));
  CHECK(connection.totals().writes - writes < 10);
  CHECK(connection.commands_in_flight() == 0);
  CHECK(connection.bytes_in_flight() == 0);
}

TEST_CASE("call() waits for its own reply; those before it get theirs") {
  Server server;
  Connection connection = server.endpoint().connect();
  Collected collected;
  connection.submit(std::vector<std::string_view>{"ECHO", "first"}, collected);
  CHECK(connection.call({"ECHO", "second"}).text == "second");
  CHECK(collected.replies.at(0).text == "first");
}

TEST_CASE("arguments and replies are bytes, also very long ones") {
  Server server;
  std::string value(3 << 20, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 31);
  server.call({"SET", value, value});
  CHECK(server.text({"GET", value}) == value);
}

TEST_CASE("an error in the middle of a pipeline concerns its own command alone") {
  Server server;
  Connection connection = server.endpoint().connect();
  Collected collected;
  for (const std::string_view verb : {"PING", "NONSENSE", "PING"}) {
    connection.submit(std::vector<std::string_view>{verb}, collected);
  }
  while (collected.replies.size() < 3) connection.step(base::kNever);
  CHECK(collected.replies[0].text == "PONG");
  CHECK(collected.replies[1].is_error());
  CHECK(collected.replies[2].text == "PONG");
}

TEST_CASE("nobody listening is told from a name that has no address") {
  CHECK(kind_of_failure([] { Connection(redis::parse_url("unix:///nonexistent.sock"), {}); }) ==
        RedisError::Kind::kRefused);
  CHECK(kind_of_failure([] { Connection(redis::parse_url("redis://no-such-host.invalid"), {}); }) ==
        RedisError::Kind::kUnresolved);
}

TEST_CASE("a missing password is told from a wrong one") {
  Server server;
  server.call({"CONFIG", "SET", "requirepass", "right"});
  redis::Url url = server.url();
  CHECK(kind_of_failure([&] { Connection(url, {}); }) == RedisError::Kind::kAuthRequired);
  url.password = redis::Secret("wrong");
  CHECK(kind_of_failure([&] { Connection(url, {}); }) == RedisError::Kind::kAuthRejected);
  url.password = redis::Secret("right");
  CHECK_NOTHROW(Connection(url, {}));
  url.user = "nobody";
  CHECK(kind_of_failure([&] { Connection(url, {}); }) == RedisError::Kind::kAuthRejected);
}

TEST_CASE("a database that does not exist is bad input") {
  Server server;
  redis::Url url = server.url();
  url.database = 99;
  CHECK_THROWS_AS(Connection(url, {}), base::ConfigError);
  url.database = 3;
  Connection connection(url, {});
  connection.call({"SET", "here", "1"});
  CHECK(server.integer({"EXISTS", "here"}) == 0);
}

TEST_CASE("a connection that the server closes fails for good") {
  Server server;
  Connection connection = server.endpoint().connect();
  const std::string id = std::to_string(connection.call({"CLIENT", "ID"}).integer);
  server.call({"CLIENT", "KILL", "ID", id});
  CHECK(kind_of_failure([&] { connection.call({"PING"}); }) == RedisError::Kind::kClosed);
  CHECK(kind_of_failure([&] { connection.call({"PING"}); }) == RedisError::Kind::kClosed);
}

TEST_CASE("a command without a reply times out") {
  Server server;
  ConnectionOptions options;
  options.command_timeout = 50ms;
  Connection connection(server.url(), options);
  server.call({"CLIENT", "PAUSE", "60000", "ALL"});
  CHECK(kind_of_failure([&] { connection.call({"PING"}); }) == RedisError::Kind::kTimedOut);
  // The server itself would hold the test's own connection for a minute; it goes with the test.
}

TEST_CASE("error replies are told apart") {
  struct Case {
    std::string text;
    RedisError::Kind kind;
  };
  using Kind = RedisError::Kind;
  for (const Case& c :
       {Case{"LOADING Redis is loading the dataset in memory", Kind::kLoading},
        Case{"READONLY You can't write against a read only replica.", Kind::kReadOnly},
        Case{"OOM command not allowed when used memory > 'maxmemory'.", Kind::kOutOfMemory},
        Case{"MISCONF Redis is configured to save RDB snapshots", Kind::kPersistence},
        Case{"BUSY Redis is busy running a script.", Kind::kBusy},
        Case{"BUSYGROUP Consumer Group name already exists", Kind::kServer},
        Case{"NOAUTH Authentication required.", Kind::kAuthRequired},
        Case{"WRONGPASS invalid username-password pair", Kind::kAuthRejected},
        Case{"WRONGTYPE Operation against a key", Kind::kServer}}) {
    CAPTURE(c.text);
    CHECK(redis::kind_of(c.text) == c.kind);
  }
}

TEST_CASE("INFO is read by field") {
  Server server;
  Connection connection = server.endpoint().connect();
  const redis::Info info = redis::Info::read(connection, "memory");
  CHECK(info.number("used_memory") > 100'000);
  CHECK(info.text("maxmemory_policy") == "noeviction");
  CHECK(info.text("no_such_field").empty());
}

TEST_CASE("our globs match as Redis's do") {
  Server server;
  const std::vector<std::string> names{"abc",  "abd",  "a*c", "a[c", "ab", "",
                                       "xabc", "a\\c", "a-c", "A]C", "a^c"};
  for (const std::string& name : names) server.call({"SET", name, "1"});
  for (const std::string pattern :
       {"*",    "a*",    "?b?",  "a[bx]c",  "a[^b]c", "a\\*c", "a[a-c]*", "a[",
        "a[b",  "*c",    "a**c", "a[c-a]c", "\\",     "a\\",   "[^",      "a[\\]]c",
        "a[]c", "a[^]c", "??",   "",        "a[b-]c", "a[a-"}) {
    std::vector<std::string> ours, theirs;
    for (const std::string& name : names) {
      if (base::glob_match(pattern, name)) ours.push_back(name);
    }
    for (const Reply& key : server.call({"KEYS", pattern}).elements) theirs.push_back(key.text);
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    CAPTURE(pattern);
    CHECK(ours == theirs);
  }
}
