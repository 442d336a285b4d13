#include "base/time.hpp"

#include "base/error.hpp"

using moonshift::base::format_time;
using moonshift::base::parse_time;

TEST_CASE("a time is ISO 8601 in UTC or milliseconds, and comes back the same") {
  CHECK(format_time(parse_time("2026-11-01T02:30:00Z")) == "2026-11-01T02:30:00.000Z");
  CHECK(format_time(parse_time("2026-11-01T02:30:00.125Z")) == "2026-11-01T02:30:00.125Z");
  CHECK(parse_time("1793500200000") == parse_time("2026-11-01T02:30:00Z"));
}

TEST_CASE("a time without its zone, or that is none, is refused") {
  for (const std::string text :
       {"", "2026-11-01", "2026-11-01T02:30:00", "2026-13-01T00:00:00Z", "-5", "tomorrow",
        "2026-11-01T02:30:00.Z ", "2026-11-01T02:30:00+01:00"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_time(text), moonshift::base::ConfigError);
  }
}
