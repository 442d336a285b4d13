#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "schedule/field_set.hpp"

namespace moonshift::test {

/// Expressions of all shapes, the same on every host for the same seed.
class RandomExpressions {
 public:
  explicit RandomExpressions(std::uint32_t seed) : engine_(seed) {}

  /// Five fields, or six. Where the day of the month and the weekday are both restricted, neither
  /// has a star.
  std::string cron();

  /// A few of them are wrong, by a number or a step that is too large. There are no ranges of one
  /// second, and no lists of days that are far from the end of the month.
  std::string calendar();

  int between(int first, int last);
  bool chance(int percent) { return between(1, 100) <= percent; }

 private:
  std::string cron_element(const schedule::Field& field, int longest);
  std::string cron_list(const schedule::Field& field, int longest = 100);
  std::string cron_field(const schedule::Field& field, int stars);
  std::string calendar_number(int value);
  std::string calendar_element(int first, int last, bool from_end = false);
  std::string calendar_field(int first, int last, int stars, bool from_end = false);
  std::string calendar_weekdays();
  std::string calendar_date();
  std::string calendar_time();

  std::mt19937 engine_;
};

}  // namespace moonshift::test
