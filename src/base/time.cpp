#include "base/time.hpp"

#include <fmt/format.h>
#include <time.h>

#include <cmath>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace moonshift::base {

namespace {

using std::chrono::milliseconds;

std::optional<UnixTime> parse_iso(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  const int day = parts.tm_mday;
  const std::time_t seconds = ::timegm(&parts);  // turns 31 February into 3 March
  if (parts.tm_mday != day) return std::nullopt;
  double fraction = 0;
  std::string_view tail(rest);
  if (tail.starts_with('.')) {
    const auto end = tail.find('Z');
    const auto digits = parse_number<double>("0" + std::string(tail.substr(0, end)));
    if (!digits || end == std::string_view::npos) return std::nullopt;
    fraction = *digits;
    tail.remove_prefix(end);
  }
  if (tail != "Z") return std::nullopt;
  return UnixTime{std::chrono::seconds{seconds} + milliseconds{std::llround(fraction * 1000)}};
}

}  // namespace

UnixTime parse_time(std::string_view text) {
  if (const auto count = parse_number<std::int64_t>(text); count && *count >= 0) {
    return UnixTime{milliseconds{*count}};
  }
  if (const auto time = parse_iso(std::string(text))) return *time;
  throw ConfigError(fmt::format(
      "'{}' is not a time: write 2026-11-01T02:30:00Z, or milliseconds since 1970", text));
}

std::string format_time(UnixTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t count = seconds.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&count, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     (time - seconds).count());
}

UnixTime system_now() { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }

}  // namespace moonshift::base
