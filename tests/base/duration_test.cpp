#include "base/duration.hpp"

#include "base/error.hpp"

using namespace std::chrono_literals;
using moonshift::base::describe_duration;
using moonshift::base::Duration;
using moonshift::base::format_duration;
using moonshift::base::parse_duration;
using moonshift::base::round_duration;

TEST_CASE("a duration is a number and a unit, or several") {
  struct Case {
    std::string text;
    Duration duration;
  };
  for (const Case& c :
       {Case{"7d", 168h}, Case{"2ms", 2ms}, Case{"500us", 500us}, Case{"1h30m", 90min},
        Case{"1.5h", 90min}, Case{"1w", 168h}, Case{"0s", 0s}}) {
    CAPTURE(c.text);
    CHECK(parse_duration(c.text) == c.duration);
    CHECK(parse_duration(format_duration(c.duration)) == c.duration);
  }
}

TEST_CASE("what is no duration is refused") {
  for (const std::string text :
       {"", "7", "d", "7 d", "-1s", "7d ", "1x", "1.2.3s", "99999999w", "1e3s", "nans", "infs"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_duration(text), moonshift::base::ConfigError);
  }
}

TEST_CASE("a duration is described in three digits") {
  CHECK(describe_duration(850us) == "850 us");
  CHECK(describe_duration(2310us) == "2.31 ms");
  CHECK(describe_duration(2310ms) == "2.31 s");
  CHECK(describe_duration(192s) == "3m 12s");
  CHECK(describe_duration(2h + 5min) == "2h 05m");
}

TEST_CASE("what would round to four digits, or to sixty, is told in the next unit") {
  CHECK(describe_duration(999us) == "999 us");
  CHECK(describe_duration(999'499us) == "999 ms");
  CHECK(describe_duration(999'500us) == "1 s");
  CHECK(describe_duration(999'999us) == "1 s");
  CHECK(describe_duration(59'949ms) == "59.9 s");
  CHECK(describe_duration(59'950ms) == "1m 00s");
  CHECK(describe_duration(60s) == "1m 00s");
  CHECK(describe_duration(3'599'499ms) == "59m 59s");
  CHECK(describe_duration(3'599'500ms) == "1h 00m");
}

TEST_CASE("ten days are 10d, a week 1w") {
  CHECK(format_duration(240h) == "10d");
  CHECK(format_duration(168h) == "1w");
}

TEST_CASE("a time to wait is told in units that matter") {
  CHECK(round_duration(12 * 24h + 5h + 59min) == "12d5h");
  CHECK(round_duration(5h + 30min + 59s) == "5h30m");
  CHECK(round_duration(39'001ms) == "40s");
  CHECK(round_duration(0s) == "0s");
}
