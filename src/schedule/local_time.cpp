#include "schedule/local_time.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/text.hpp"

namespace moonshift::schedule {

using namespace std::chrono;

namespace {

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// Exactly `count` digits, as a number of at most `largest`.
std::optional<int> take_digits(std::string_view& text, std::size_t count, int largest) {
  if (text.size() < count || text.front() == '-') return std::nullopt;
  const auto number = base::parse_number<int>(text.substr(0, count));
  if (!number || *number > largest) return std::nullopt;
  text.remove_prefix(count);
  return number;
}

/// `2026-11-01`
std::optional<local_days> take_date(std::string_view& text) {
  const auto y = take_digits(text, 4, 9999);
  if (!y || !take(text, '-')) return std::nullopt;
  const auto m = take_digits(text, 2, 12);
  if (!m || !take(text, '-')) return std::nullopt;
  const auto d = take_digits(text, 2, 31);
  if (!d) return std::nullopt;
  const year_month_day date = year{*y} / *m / *d;
  return date.ok() ? std::optional(local_days(date)) : std::nullopt;
}

/// `02:30`
std::optional<minutes> take_minutes(std::string_view& text) {
  const auto hour = take_digits(text, 2, 23);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2, 59);
  if (!minute) return std::nullopt;
  return hours(*hour) + minutes(*minute);
}

/// `02:30`, `02:30:05`, `02:30:05.25`
std::optional<milliseconds> take_clock(std::string_view& text) {
  const auto whole = take_minutes(text);
  if (!whole || !take(text, ':')) return whole;
  const auto second = take_digits(text, 2, 59);
  if (!second) return std::nullopt;
  const milliseconds time = *whole + seconds(*second);
  if (!text.starts_with('.')) return time;
  const auto end = std::min(text.find_first_not_of("0123456789", 1), text.size());
  const auto fraction = base::parse_number<double>("0" + std::string(text.substr(0, end)));
  if (!fraction || end == 1) return std::nullopt;
  text.remove_prefix(end);
  return time + milliseconds(std::llround(*fraction * 1000));
}

/// `Z`, `+05:30`
std::optional<minutes> take_offset(std::string_view& text) {
  if (take(text, 'Z')) return minutes(0);
  const bool west = take(text, '-');
  if (!west && !take(text, '+')) return std::nullopt;
  const auto offset = take_minutes(text);
  if (!offset) return std::nullopt;
  return west ? -*offset : *offset;
}

base::UnixTime on_clocks(local_time<milliseconds> local, const Zone& zone) {
  const local_seconds whole = floor<seconds>(local);
  return zone.first_at(whole) + (local - whole);
}

std::optional<base::UnixTime> parse_iso(std::string_view text, const Zone& zone) {
  const auto date = take_date(text);
  if (!date) return std::nullopt;
  if (text.empty()) return on_clocks(*date, zone);
  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto clock = take_clock(text);
  if (!clock) return std::nullopt;
  if (text.empty()) return on_clocks(*date + *clock, zone);
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  return base::UnixTime((*date + *clock - *offset).time_since_epoch());
}

}  // namespace

base::UnixTime parse_time(std::string_view text, const Zone& zone) {
  if (const auto time = parse_iso(text, zone)) return *time;
  try {
    return base::parse_time(text);
  } catch (const base::ConfigError&) {
    throw base::ConfigError(fmt::format(
        "'{}' is not a time: write 2026-11-01T02:30:00Z, 2026-11-01T02:30+01:00, 2026-11-01T02:30 "
        "or 2026-11-01 as the clocks of {} show it, or milliseconds since 1970",
        base::printable(text), zone.name()));
  }
}

}  // namespace moonshift::schedule
