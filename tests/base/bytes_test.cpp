#include "base/bytes.hpp"

#include "base/error.hpp"

using moonshift::base::Bytes;
using moonshift::base::describe_bytes;
using moonshift::base::parse_bytes;

TEST_CASE("sizes are read as redis.conf has them") {
  CHECK(parse_bytes("100") == Bytes{100});
  CHECK(parse_bytes("1k") == Bytes{1000});
  CHECK(parse_bytes("1kb") == Bytes{1024});
  CHECK(parse_bytes("64MB") == Bytes{64 << 20});
  CHECK(parse_bytes("1.5gb") == Bytes{1'610'612'736});
}

TEST_CASE("what is no size is refused") {
  for (const std::string text : {"", "mb", "1 mb", "-1kb", "1tb", "1kbb", "99999999gb"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_bytes(text), moonshift::base::ConfigError);
  }
}

TEST_CASE("sizes are described in three digits") {
  CHECK(describe_bytes({812}) == "812 B");
  CHECK(describe_bytes({3 << 20}) == "3 MB");
  CHECK(describe_bytes({-2048}) == "-2 KB");
}

TEST_CASE("what would round to four digits is told in the next unit") {
  CHECK(describe_bytes({1023}) == "1023 B");
  CHECK(describe_bytes({1024}) == "1 KB");
  CHECK(describe_bytes({999 * 1024}) == "999 KB");
  CHECK(describe_bytes({999 * 1024 + 511}) == "999 KB");
  CHECK(describe_bytes({999 * 1024 + 512}) == "0.976 MB");
  CHECK(describe_bytes({-1010 * 1024}) == "-0.986 MB");
  CHECK(describe_bytes({(1 << 20) - 1}) == "1 MB");
  CHECK(describe_bytes({1010LL << 20}) == "0.986 GB");
  CHECK(describe_bytes({1010LL << 30}) == "1010 GB");
}
