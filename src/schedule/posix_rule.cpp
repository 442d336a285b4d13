#include "schedule/posix_rule.hpp"

#include <algorithm>
#include <array>

#include "base/parse.hpp"

namespace moonshift::schedule {

using namespace std::chrono;

namespace {

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<int> take_number(std::string_view& text) {
  const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = base::parse_number<int>(text.substr(0, end));
  text.remove_prefix(end);
  return number;
}

/// `-1`, `10:30`, `50`
std::optional<seconds> take_clock(std::string_view& text) {
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  seconds total{0};
  for (seconds unit : {seconds(hours(1)), seconds(minutes(1)), seconds(1)}) {
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    total += *number * unit;
    if (!take(text, ':')) break;
  }
  return negative ? -total : total;
}

/// As POSIX has it, and RFC 9636 for the change.
constexpr hours kLargestOffset{24}, kLatestChange{168};

bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '-';
}

}  // namespace

/// `CET-1`, `<+1030>-10:30`. POSIX counts offsets to the west.
bool PosixRule::take_time(std::string_view& text, Time& time) {
  const bool quoted = take(text, '<');
  const auto end = quoted ? text.find('>') : text.find_first_of("0123456789+-,");
  if (end == std::string_view::npos) return false;
  time.name = text.substr(0, end);
  if (time.name.size() < 3 || !std::all_of(time.name.begin(), time.name.end(), is_of_name))
    return false;
  text.remove_prefix(quoted ? end + 1 : end);
  if (text.starts_with(',')) return true;
  const auto west = take_clock(text);
  if (west) time.offset = -*west;
  return west && std::chrono::abs(*west) <= kLargestOffset;
}

/// `,M3.5.0/3`
bool PosixRule::take_change(std::string_view& text, Change& change) {
  if (!take(text, ',') || !take(text, 'M')) return false;
  for (unsigned* part : {&change.month, &change.week, &change.weekday}) {
    const auto number = take_number(text);
    if (!number) return false;
    *part = static_cast<unsigned>(*number);
    if (part != &change.weekday && !take(text, '.')) return false;
  }
  if (change.month < 1 || change.month > 12 || change.week < 1 || change.week > 5 ||
      change.weekday > 6)
    return false;
  if (!take(text, '/')) return true;
  const auto time = take_clock(text);
  if (time) change.time = *time;
  return time && std::chrono::abs(*time) <= kLatestChange;
}

std::optional<PosixRule> PosixRule::parse(std::string_view text) {
  PosixRule rule;
  if (!take_time(text, rule.standard_)) return std::nullopt;
  rule.changes_ = !text.empty();
  if (!rule.changes_) return rule;
  rule.summer_.offset = rule.standard_.offset + hours(1);
  if (!take_time(text, rule.summer_) || !take_change(text, rule.to_summer_) ||
      !take_change(text, rule.to_standard_) || !text.empty())
    return std::nullopt;
  return rule;
}

local_seconds PosixRule::Change::in(year y) const {
  const auto on = std::chrono::weekday(weekday);
  const auto of = y / static_cast<int>(month);
  return (week == 5 ? local_days(of / on[last]) : local_days(of / on[week])) + time;
}

Zone::Period PosixRule::period(sys_seconds time) const {
  if (!changes_) return {sys_seconds::min(), sys_seconds::max(), standard_.offset, standard_.name};
  struct Begin {
    sys_seconds at;
    const Time* of;
  };
  std::array<Begin, 8> begins{};
  const year this_year = year_month_day(floor<days>(time)).year();
  for (int i = 0; i < 4; ++i) {
    const year y = this_year + years(i - 2);
    const auto at = [&](const Change& change, const Time& before) {
      return sys_seconds(change.in(y).time_since_epoch() - before.offset);
    };
    begins[static_cast<std::size_t>(2 * i)] = {at(to_summer_, standard_), &summer_};
    begins[static_cast<std::size_t>(2 * i + 1)] = {at(to_standard_, summer_), &standard_};
  }
  std::sort(begins.begin(), begins.end(),
            [](const Begin& a, const Begin& b) { return a.at < b.at; });
  const auto next = std::find_if(begins.begin(), begins.end(),
                                 [&](const Begin& begin) { return begin.at > time; });
  const auto here = next - 1;
  return {here->at, next->at, here->of->offset, here->of->name};
}

}  // namespace moonshift::schedule
