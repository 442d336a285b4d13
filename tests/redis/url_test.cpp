#include "redis/url.hpp"

#include "base/error.hpp"

using moonshift::base::ConfigError;
using moonshift::redis::parse_url;
using moonshift::redis::Url;

TEST_CASE("a TCP URL has host, port, database, user and password") {
  const Url url = parse_url("redis://worker:s%40cret@redis.example:6380/3");
  CHECK(url.scheme == Url::Scheme::kTcp);
  CHECK(url.hosts.at(0).host == "redis.example");
  CHECK(url.hosts.at(0).port == 6380);
  CHECK(url.database == 3);
  CHECK(url.user == "worker");
  CHECK(url.password.reveal() == "s@cret");
}

TEST_CASE("what is left out has its default") {
  const Url url = parse_url("redis://localhost");
  CHECK(url.hosts.at(0).port == 6379);
  CHECK(url.database == 0);
  CHECK(url.password.empty());
}

TEST_CASE("a password may hold colons and at-signs") {
  CHECK(parse_url("redis://:a:b@c@host").password.reveal() == "a:b@c");
}

TEST_CASE("a URL for people shows no password") {
  CHECK(parse_url("redis://worker:secret@host:1/2").to_string() == "redis://worker:***@host:1/2");
  CHECK(parse_url("unix://:secret@/run/redis.sock?db=2").to_string() ==
        "unix://:***@/run/redis.sock?db=2");
  CHECK(parse_url("scratch:?requirepass=secret").to_string() == "scratch:?requirepass=***");
}

TEST_CASE("the other kinds") {
  CHECK(parse_url("unix:///run/redis.sock?db=4").path == "/run/redis.sock");
  CHECK(parse_url("unix:///run/redis.sock?db=4").database == 4);
  CHECK(parse_url("rediss://[::1]:7000").hosts.at(0).host == "::1");
  CHECK(parse_url("scratch:dump.rdb?maxmemory=10mb").options.at(0).second == "10mb");
  const Url sentinel = parse_url("redis+sentinel://a,b:1234/mymaster/1");
  CHECK(sentinel.hosts.size() == 2);
  CHECK(sentinel.hosts[0].port == 26379);
  CHECK(sentinel.hosts[1].port == 1234);
  CHECK(sentinel.master == "mymaster");
  CHECK(sentinel.database == 1);
  CHECK(parse_url("redis+cluster://a:1,b:2,c:3").hosts.size() == 3);
}

TEST_CASE("a bad URL is refused, and its password is not repeated") {
  for (const std::string text :
       {"", "localhost", "http://host", "redis://", "redis://host:0", "redis://host:x",
        "redis://host/x", "redis://host/-1", "redis://a,b", "redis://:secret@", "redis://host?x=1",
        "redis://:secret%zz@host", "redis://secret@host", "unix://relative",
        "redis+sentinel://a"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_url(text), ConfigError);
    try {
      parse_url(text);
    } catch (const ConfigError& error) {
      CHECK(std::string(error.what()).find("secret") == std::string::npos);
    }
  }
}
