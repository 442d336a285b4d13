#include "redis/scratch_server.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "redis/connection.hpp"
#include "redis/error.hpp"
#include "redis/info.hpp"
#include "support/server.hpp"

using namespace moonshift;
namespace fs = std::filesystem;

namespace {

bool accepts(const redis::Url& url) {
  try {
    const redis::Connection connection(url, {});
    return true;
  } catch (const redis::RedisError&) {
    return false;
  }
}

}  // namespace

TEST_CASE("a scratch server goes with its directory when it is destroyed") {
  redis::Url url;
  {
    const redis::ScratchServer server(redis::parse_url("scratch:"), base::kNever);
    url = server.url();
    CHECK(accepts(url));
  }
  CHECK_FALSE(fs::exists(fs::path(url.path).parent_path()));
}

TEST_CASE("a scratch server goes with its directory when its owner is killed") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    const redis::ScratchServer server(redis::parse_url("scratch:"), base::kNever);
    [[maybe_unused]] const auto written =
        ::write(ends[1], server.url().path.c_str(), server.url().path.size() + 1);
    ::pause();
  }
  char path[256]{};
  REQUIRE(::read(ends[0], path, sizeof path - 1) > 0);
  redis::Url url;
  url.scheme = redis::Url::Scheme::kUnix;
  url.path = path;
  const auto pid = [&] {
    redis::Connection connection(url, {});
    return static_cast<pid_t>(redis::Info::read(connection, "server").number("process_id"));
  }();
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  CHECK(test::eventually([&] { return !fs::exists(fs::path(path).parent_path()); }));
  CHECK(test::eventually([&] { return ::kill(pid, 0) != 0; }));
}

TEST_CASE("a snapshot is served, and stays as it is whatever is written") {
  const fs::path directory =
      fs::temp_directory_path() / ("moonshift-snapshot-" + std::to_string(::getpid()));
  fs::create_directory(directory);
  const std::string snapshot = directory / "dump.rdb";
  {
    test::Server server;
    server.call({"SET", "from", "snapshot"});
    server.call({"SAVE"});
    fs::copy_file(fs::path(server.url().path).parent_path() / "dump.rdb", snapshot);
  }
  const auto size = fs::file_size(snapshot);
  const auto time = fs::last_write_time(snapshot);
  for (const std::string options : {"", "?appendonly=yes"}) {
    const redis::ScratchServer server(redis::parse_url("scratch:" + snapshot + options),
                                      base::kNever);
    redis::Connection connection(server.url(), {});
    CHECK(connection.call({"GET", "from"}).text == "snapshot");
    connection.call({"SET", "more", std::string(100'000, 'x')});
    CHECK(connection.call({"SAVE"}).text == "OK");
  }
  CHECK(fs::file_size(snapshot) == size);
  CHECK(fs::last_write_time(snapshot) == time);
  fs::remove_all(directory);
}

TEST_CASE("what keeps a scratch server from starting is told") {
  CHECK_THROWS_AS(redis::ScratchServer(redis::parse_url("scratch:/no/such/dump.rdb"), base::kNever),
                  base::ConfigError);
  CHECK_THROWS_AS(
      redis::ScratchServer(redis::parse_url("scratch:?no-such-directive=1"), base::kNever),
      redis::RedisError);
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  try {
    const redis::ScratchServer server(redis::parse_url("scratch:"), base::kNever);
    FAIL("it started");
  } catch (const redis::RedisError& error) {
    CHECK(error.kind() == redis::RedisError::Kind::kNoServer);
    CHECK(std::string(error.what()).find("install") != std::string::npos);
  }
  ::setenv("PATH", path.c_str(), 1);
}
