#include "schedule/random_expression.hpp"

#include <fmt/format.h>

#include <array>

namespace moonshift::test {

using schedule::Field;

namespace {

constexpr Field kCronWeekday{"weekday", 0, 6};
constexpr Field kEveryMonth{"day", 1, 28};  // see kCroniterDifferences
constexpr std::array kMonths{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                             "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array kDays{"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"};

}  // namespace

int RandomExpressions::between(int first, int last) {
  return first + static_cast<int>(engine_() % static_cast<std::uint32_t>(last - first + 1));
}

std::string RandomExpressions::cron_element(const Field& field, int longest) {
  const int first = between(field.first, field.last);
  if (chance(55)) {
    if (field.name == "month" && chance(40)) return kMonths[static_cast<std::size_t>(first - 1)];
    return std::to_string(first);
  }
  const int last = std::min(between(first, field.last), first + longest);
  std::string text = fmt::format("{}-{}", first, last);
  if (chance(40)) text += fmt::format("/{}", between(1, std::max(1, last - first)));
  return text;
}

std::string RandomExpressions::cron_list(const Field& field, int longest) {
  std::string text = cron_element(field, longest);
  while (chance(25)) text += "," + cron_element(field, longest);
  return text;
}

std::string RandomExpressions::cron_field(const Field& field, int stars) {
  if (chance(stars)) return "*";
  if (chance(25)) return fmt::format("*/{}", between(1, field.last - field.first));
  return cron_list(field);
}

std::string RandomExpressions::cron() {
  const std::string seconds = chance(20) ? cron_field(schedule::kSecond, 10) + " " : "";
  std::string day = "*", weekday = "*";
  switch (between(1, 5)) {
    case 1:
      break;
    case 2:
      day = chance(20) ? "L" : cron_field(schedule::kDay, 0);
      break;
    case 3:
      weekday = cron_field(kCronWeekday, 0);
      break;
    case 4:
      weekday = fmt::format("{},{}", between(1, 5), seconds.empty() ? 7 : 0);
      break;
    default:
      day = cron_element(kEveryMonth, 3);
      weekday = cron_element(kCronWeekday, 2);
  }
  return fmt::format("{}{} {} {} {} {}", seconds, cron_field(schedule::kMinute, 20),
                     cron_field(schedule::kHour, 30), day, cron_field(schedule::kMonth, 60),
                     weekday);
}

std::string RandomExpressions::calendar_number(int value) {
  return chance(50) ? fmt::format("{:02}", value) : std::to_string(value);
}

std::string RandomExpressions::calendar_element(int first, int last, bool from_end) {
  const int value = chance(2) ? last + 1 : between(first, last);
  std::string text = calendar_number(value);
  if (chance(50)) return text;
  if (chance(50) && value < last) text += ".." + calendar_number(between(value + 1, last));
  const int room = from_end ? value - first : last - value;
  if (chance(50)) text += fmt::format("/{}", between(1, std::max(2, room)));
  return text;
}

std::string RandomExpressions::calendar_field(int first, int last, int stars, bool from_end) {
  if (chance(stars)) return "*";
  if (!from_end || chance(50)) {
    std::string text = calendar_element(first, last, from_end);
    while (!from_end && chance(25)) text += "," + calendar_element(first, last, from_end);
    return text;
  }
  // A list that systemd takes, see kSystemdDifferences.
  return fmt::format("{},{}", calendar_element(first, 20, true), calendar_element(first, 20, true));
}

std::string RandomExpressions::calendar_weekdays() {
  std::string text;
  do {
    const int first = between(0, 6);
    text += (text.empty() ? "" : ",") + std::string(kDays[static_cast<std::size_t>(first)]);
    if (chance(30)) text += fmt::format("..{}", kDays[static_cast<std::size_t>(between(0, 6))]);
  } while (chance(30));
  return text;
}

std::string RandomExpressions::calendar_date() {
  const bool from_end = chance(25);
  const std::string day = from_end ? calendar_field(1, 28, 10, true) : calendar_field(1, 31, 50);
  const std::string date =
      fmt::format("{}{}{}", calendar_field(1, 12, 60), from_end ? '~' : '-', day);
  if (chance(20)) return date;
  return (chance(80) ? "*" : calendar_field(2024, 2040, 0)) + "-" + date;
}

std::string RandomExpressions::calendar_time() {
  std::string time = calendar_field(0, 23, 35) + ":" + calendar_field(0, 59, 20);
  if (chance(30)) time += ":" + calendar_field(0, 59, 20);
  return time;
}

std::string RandomExpressions::calendar() {
  std::string text;
  const auto add = [&](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  if (chance(30)) add(calendar_weekdays());
  if (chance(70)) add(calendar_date());
  if (text.empty() || chance(80)) add(calendar_time());
  return text;
}

}  // namespace moonshift::test
