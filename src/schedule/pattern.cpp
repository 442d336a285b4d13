#include "schedule/pattern.hpp"

namespace moonshift::schedule {

using namespace std::chrono;

namespace {

int last_day_of(year_month month) {
  return static_cast<int>(static_cast<unsigned>((month / last).day()));
}

}  // namespace

bool Pattern::matches(year_month_day date) const {
  const int day = static_cast<int>(static_cast<unsigned>(date.day()));
  const int from_end = last_day_of(date.year() / date.month()) - day + 1;
  const bool in_month = days.contains(day) || last_days.contains(from_end);
  const weekday day_of_week{local_days(date)};
  const bool in_week = weekdays.contains(static_cast<int>(day_of_week.iso_encoding()));
  return either_day ? in_month || in_week : in_month && in_week;
}

std::optional<local_days> Pattern::next_day(year_month_day least) const {
  int first_month = static_cast<int>(static_cast<unsigned>(least.month()));
  int first_day = static_cast<int>(static_cast<unsigned>(least.day()));
  for (auto y = years.next(int{least.year()}); y; y = years.next(*y + 1)) {
    if (year{*y} != least.year()) first_month = first_day = 1;
    for (auto m = months.next(first_month); m; m = months.next(*m + 1)) {
      if (*m != first_month) first_day = 1;
      const year_month here = year{*y} / *m;
      for (int d = first_day; d <= last_day_of(here); ++d) {
        if (matches(here / d)) return local_days(here / d);
      }
    }
  }
  return std::nullopt;
}

std::optional<seconds> Pattern::next_time(std::chrono::seconds least) const {
  const auto from = static_cast<int>(least.count());
  const int first_hour = from / 3600;
  int first_minute = from / 60 % 60, first_second = from % 60;
  for (auto h = hours.next(first_hour); h; h = hours.next(*h + 1)) {
    if (*h != first_hour) first_minute = first_second = 0;
    for (auto m = minutes.next(first_minute); m; m = minutes.next(*m + 1)) {
      if (*m != first_minute) first_second = 0;
      if (const auto s = seconds.next(first_second))
        return std::chrono::hours(*h) + std::chrono::minutes(*m) + std::chrono::seconds(*s);
    }
    first_minute = first_second = 0;
  }
  return std::nullopt;
}

std::optional<local_seconds> Pattern::next(local_seconds least) const {
  const auto midnight = floor<std::chrono::days>(least);
  const year_month_day today(midnight);
  if (years.contains(int{today.year()}) &&
      months.contains(static_cast<int>(static_cast<unsigned>(today.month()))) && matches(today)) {
    if (const auto time = next_time(least - midnight)) return midnight + *time;
  }
  const auto day = next_day(year_month_day(midnight + std::chrono::days(1)));
  if (!day) return std::nullopt;
  return *day + *next_time(std::chrono::seconds(0));
}

bool Pattern::possible() const { return next_day(year{kYear.first} / 1 / 1).has_value(); }

}  // namespace moonshift::schedule
