#include "schedule/calendar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "schedule/expression.hpp"
#include "schedule/words.hpp"
#include "schedule/zone.hpp"

namespace moonshift::schedule {

namespace {

constexpr std::array<std::string_view, 7> kDayNames{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                    "Friday", "Saturday", "Sunday"};

struct Shorthand {
  std::string_view word, meaning;
};
constexpr std::array kShorthands{Shorthand{"minutely", "*-*-* *:*:00"},
                                 Shorthand{"hourly", "*-*-* *:00:00"},
                                 Shorthand{"daily", "*-*-* 00:00:00"},
                                 Shorthand{"weekly", "Mon *-*-* 00:00:00"},
                                 Shorthand{"monthly", "*-*-01 00:00:00"},
                                 Shorthand{"quarterly", "*-01,04,07,10-01 00:00:00"},
                                 Shorthand{"semiannually", "*-01,07-01 00:00:00"},
                                 Shorthand{"yearly", "*-01-01 00:00:00"},
                                 Shorthand{"annually", "*-01-01 00:00:00"},
                                 Shorthand{"anually", "*-01-01 00:00:00"},
                                 Shorthand{"biannually", "*-01,07-01 00:00:00"},
                                 Shorthand{"bi-annually", "*-01,07-01 00:00:00"},
                                 Shorthand{"semi-annually", "*-01,07-01 00:00:00"}};

const Shorthand* find_shorthand(std::string_view word) {
  const auto found = std::find_if(kShorthands.begin(), kShorthands.end(), [&](const Shorthand& s) {
    return base::equal_ignoring_case(s.word, word);
  });
  return found == kShorthands.end() ? nullptr : found;
}

/// The weekday that letters name, in full or by three of them: Monday is 1.
std::optional<int> find_weekday(std::string_view letters) {
  for (std::size_t i = 0; i < kDayNames.size(); ++i) {
    if (base::equal_ignoring_case(letters, kDayNames[i]) ||
        base::equal_ignoring_case(letters, kDayNames[i].substr(0, 3)))
      return static_cast<int>(i) + 1;
  }
  return std::nullopt;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

int take_weekday(Reader& reader) {
  const char* at = reader.position();
  const auto day = find_weekday(reader.take_letters());
  if (day) return *day;
  const std::string_view shown = reader.from(at);
  reader.fail(at,
              fmt::format("{} is no weekday: write Mon, Tue, Wed, Thu, Fri, Sat or Sun, a range "
                          "Mon..Fri, or a list with commas",
                          shown.empty() ? "nothing" : fmt::format("'{}'", shown)));
}

FieldSet read_weekdays(Reader reader) {
  FieldSet set(kWeekday);
  do {
    const int first = take_weekday(reader);
    int last = first;
    if (reader.take("..") || reader.take("-")) {
      const char* at = reader.position();
      last = take_weekday(reader);
      if (last < first)
        reader.fail(at,
                    "the range runs backwards, and a week begins on Monday: write a list, such as "
                    "Sat,Sun,Mon");
    }
    for (int day = first; day <= last; ++day) set.add(day);
    // systemd allows a comma at the end.
  } while (reader.take(",") && !reader.at_end());
  if (!reader.at_end())
    reader.fail(reader.position(), fmt::format("what is '{}'? Weekdays are written Mon..Wed,Fri",
                                               reader.from(reader.position())));
  return set;
}

/// What one field says.
struct Values {
  FieldSet set;
  bool open = false;  ///< a part of it goes on to the end of the field
};

std::string allowed(const Field& field, bool from_end) {
  if (from_end) return "1 to 28 from the end of the month";
  return fmt::format("{} to {}", field.first, field.last);
}

int take_value(Reader& reader, const Field& field, bool from_end) {
  const char* at = reader.position();
  const auto number = reader.take_number();
  if (!number) {
    const std::string_view shown = reader.from(at);
    reader.fail(at, fmt::format("{} is no {}: write *, or {}",
                                shown.empty() ? "nothing" : fmt::format("'{}'", shown), field.name,
                                allowed(field, from_end)));
  }
  int value = *number;
  if (field.name == kYear.name && value < 100) value += value < 70 ? 2000 : 1900;
  if (value < field.first || value > (from_end ? 28 : field.last))
    reader.fail(
        at, fmt::format("{} is no {}: write {}", *number, field.name, allowed(field, from_end)));
  return value;
}

/// One element of a list: a value, `a..b`, `a/n` or `a..b/n`.
void read_element(Reader& reader, const Field& field, bool from_end, Values& values) {
  const char* at = reader.position();
  const int first = take_value(reader, field, from_end);
  std::optional<int> last;
  if (reader.take("..")) {
    last = take_value(reader, field, from_end);
    if (*last < first) reader.fail(at, "the range runs backwards: write the smaller number first");
  } else if (field.name == kSecond.name && reader.peek() == '.') {
    reader.fail(reader.position(), "a schedule has whole seconds: leave out the fraction");
  }
  int step = 1;
  const bool stepped = reader.take("/");
  const char* step_at = reader.position();
  if (stepped) {
    const auto number = reader.take_number();
    if (!number || *number == 0) reader.fail(step_at, "after / comes a step of 1 or more");
    if (field.name == kSecond.name && reader.peek() == '.')
      reader.fail(reader.position(), "a schedule has whole seconds: leave out the fraction");
    step = *number;
  }
  if (!last && !stepped) {
    values.set.add(first);
    return;
  }
  if (!last) {
    const int reach = from_end ? first - step : first + step;
    if (reach < field.first || reach > field.last)
      reader.fail(step_at, fmt::format("a step of {} from {} never comes to a second {} ({}); an "
                                       "interval is written every = \"90m\"",
                                       step, first, field.name, allowed(field, from_end)));
    values.open = true;
  }
  if (from_end && !last) {  // forward in time, so towards the last day
    for (int value = first; value >= field.first; value -= step) values.set.add(value);
    return;
  }
  for (int value = first; value <= last.value_or(field.last); value += step) values.set.add(value);
}

Values read_field(Reader& reader, const Field& field, bool from_end = false) {
  if (reader.take("*")) {
    if (reader.peek() == '/') {
      reader.fail(reader.position(),
                  fmt::format("after * comes no step: write {}/2 for every second {}", field.first,
                              field.name));
    }
    return {FieldSet::all(field), true};
  }
  Values values{FieldSet(field)};
  do {
    read_element(reader, field, from_end, values);
  } while (reader.take(","));
  return values;
}

[[noreturn]] void fail_rest(const Reader& reader, const std::string& form) {
  const std::string_view rest = reader.from(reader.position());
  reader.fail(reader.position(), rest.empty() ? fmt::format("it ends too early: {}", form)
                                              : fmt::format("what is '{}'? {}", rest, form));
}

constexpr const char* kDateForm =
    "A date is YEAR-MONTH-DAY or MONTH-DAY, such as *-*-01, or *-*~01 for the last day";
constexpr const char* kTimeForm = "A time is HOUR:MINUTE or HOUR:MINUTE:SECOND, such as 02:00/15";

void read_date(Reader reader, std::string_view word, Pattern& pattern) {
  const bool has_year =
      std::count_if(word.begin(), word.end(), [](char c) { return c == '-' || c == '~'; }) >= 2;
  if (has_year) {
    pattern.years = read_field(reader, kYear).set;
    if (!reader.take("-")) fail_rest(reader, kDateForm);
  }
  pattern.months = read_field(reader, kMonth).set;
  const bool from_end = reader.take("~");
  if (!from_end && !reader.take("-")) fail_rest(reader, kDateForm);
  const FieldSet days = read_field(reader, kDay, from_end).set;
  if (!reader.at_end()) fail_rest(reader, kDateForm);
  if (from_end && !days.full()) {
    pattern.days = FieldSet(kDay);
    pattern.last_days = days;
  } else {
    pattern.days = days;
  }
}

void read_time(Reader reader, Pattern& pattern) {
  const Values hours = read_field(reader, kHour);
  pattern.hours = hours.set;
  pattern.follows_clock = hours.open || hours.set.full();
  if (!reader.take(":")) fail_rest(reader, kTimeForm);
  pattern.minutes = read_field(reader, kMinute).set;
  if (reader.take(":")) pattern.seconds = read_field(reader, kSecond).set;
  if (!reader.at_end()) fail_rest(reader, kTimeForm);
}

/// Whether a word that begins with a letter belongs to the weekdays, and is no zone.
bool looks_like_weekdays(std::string_view word) {
  const auto end = std::find_if_not(word.begin(), word.end(), is_letter);
  const std::string_view letters = word.substr(0, static_cast<std::size_t>(end - word.begin()));
  return find_weekday(letters).has_value();
}

/// Takes the zone off the end of the words. A name that is wrong is an error here, as it can be
/// nothing else.
std::string take_zone(const Expression& expression, std::vector<std::string_view>& words) {
  if (words.size() < 2) return "";
  const std::string_view last = words.back();
  if (!is_letter(last.front()) || looks_like_weekdays(last)) return "";
  if (find_shorthand(last) != nullptr)
    expression.fail(last.data(), fmt::format("{} stands alone, or before a time zone", last));
  const std::string name = base::equal_ignoring_case(last, "UTC") ? "UTC" : std::string(last);
  try {
    Zone::named(name);
  } catch (const base::ConfigError& error) {
    expression.fail(last.data(), error.what());
  }
  words.pop_back();
  return name;
}

void read_words(const Expression& expression, std::vector<std::string_view> words,
                Pattern& pattern) {
  if (is_letter(words.front().front())) {
    pattern.weekdays = read_weekdays(Reader(expression, words.front()));
    words.erase(words.begin());
  }
  if (!words.empty() && words.front().find(':') == std::string_view::npos) {
    if (words.front().find_first_of("-~") == std::string_view::npos)
      expression.fail(words.front().data(), fmt::format("'{}' is neither a date nor a time. {}. {}",
                                                        words.front(), kDateForm, kTimeForm));
    read_date(Reader(expression, words.front()), words.front(), pattern);
    words.erase(words.begin());
  }
  if (!words.empty()) {
    read_time(Reader(expression, words.front()), pattern);
    words.erase(words.begin());
  }
  if (!words.empty())
    expression.fail(words.front().data(),
                    fmt::format("what is '{}'? A calendar expression is [WEEKDAYS] [DATE] [TIME] "
                                "[ZONE], such as Mon..Fri *-*-* 02:30 Europe/Berlin",
                                words.front()));
}

/// `a..b` where three or more follow each other, `a/n` or `a..b/n` where they are so far apart.
///
/// `a/n` only where it comes out even: from 23:56 on, systemd 252 goes to 00:07 for `*:00/7`. Hours
/// that go on through the day must be read again as such, so they may be two.
std::string render(const FieldSet& set, bool open) {
  if (set.full()) return "*";
  const Field& field = set.field();
  const std::vector<int> values = set.values();
  const auto step = set.step();
  if (step && *step > 1) {
    const bool even = values.front() == field.first && values.back() + *step == field.last + 1;
    if (open && even && (values.size() > 2 || field.name == kHour.name))
      return fmt::format("{:02}/{}", values.front(), *step);
    if (values.size() > 3)
      return fmt::format("{:02}..{:02}/{}", values.front(), values.back(), *step);
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0, end = 0; i < values.size(); i = end) {
    end = i + 1;
    while (end < values.size() && values[end] == values[end - 1] + 1) ++end;
    if (end - i < 3) end = i + 1;
    parts.push_back(end - i < 3 ? fmt::format("{:02}", values[i])
                                : fmt::format("{:02}..{:02}", values[i], values[end - 1]));
  }
  return base::join(parts, ",");
}

/// systemd 252 allows 28 days before the end of the month for the first part of a list, and three
/// less for each further one.
bool systemd_takes(const FieldSet& last_days, const std::string& rendered) {
  const auto further = static_cast<int>(std::count(rendered.begin(), rendered.end(), ','));
  return last_days.values().back() <= 28 - 3 * further;
}

std::string render_weekdays(const FieldSet& set) {
  if (set.full()) return "";
  const auto name = [](int day) {
    return kDayNames[static_cast<std::size_t>(day - 1)].substr(0, 3);
  };
  std::vector<std::string> parts;
  const std::vector<int> values = set.values();
  for (std::size_t i = 0, end = 0; i < values.size(); i = end) {
    end = i + 1;
    while (end < values.size() && values[end] == values[end - 1] + 1) ++end;
    if (end - i < 3) end = i + 1;
    parts.push_back(end - i < 3 ? std::string(name(values[i]))
                                : fmt::format("{}..{}", name(values[i]), name(values[end - 1])));
  }
  return base::join(parts, ",") + " ";
}

}  // namespace

Calendar parse_calendar(std::string_view text) {
  const Expression expression{"calendar", text};
  std::vector<std::string_view> words = split_words(text);
  if (words.empty())
    expression.fail(text.data(),
                    "it is empty: write [WEEKDAYS] [DATE] [TIME] [ZONE], such as "
                    "Mon..Fri *-*-* 02:30, or daily");
  if (words.front().starts_with('@'))
    expression.fail(words.front().data(), "a moment that does not come again is no schedule");
  Calendar calendar;
  Pattern& pattern = calendar.pattern;
  pattern.hours = FieldSet(kHour, {0});
  pattern.minutes = FieldSet(kMinute, {0});
  pattern.follows_clock = false;
  calendar.zone = take_zone(expression, words);
  if (const Shorthand* shorthand = words.size() == 1 ? find_shorthand(words.front()) : nullptr) {
    read_words({"calendar", shorthand->meaning}, split_words(shorthand->meaning), pattern);
    return calendar;
  }
  if (is_letter(words.front().front()) && !looks_like_weekdays(words.front())) {
    std::vector<std::string> known;
    for (const Shorthand& shorthand : kShorthands) known.emplace_back(shorthand.word);
    for (const std::string_view day : kDayNames) known.emplace_back(day);
    expression.fail(
        words.front().data(),
        fmt::format("what is '{}'?{} Write weekdays such as Mon..Fri, or a word such as "
                    "daily",
                    words.front(), base::did_you_mean(words.front(), known)));
  }
  read_words(expression, words, pattern);
  if (!pattern.possible()) expression.fail(text.data(), why_no_day(pattern));
  return calendar;
}

CalendarForm to_calendar(const Pattern& p) {
  if (p.either_day)
    return {std::nullopt,
            "a calendar expression has no 'or' between the day of the month and the "
            "weekday; make two jobs of it"};
  if (!p.days.empty() && !p.last_days.empty())
    return {std::nullopt,
            "a calendar expression counts days from the beginning of the month or from "
            "its end, not both; make two jobs of it"};
  const bool from_end = !p.last_days.empty();
  const std::string days = from_end ? render(p.last_days, false) : render(p.days, true);
  if (from_end && !systemd_takes(p.last_days, days)) {
    return {std::nullopt,
            "systemd refuses such a list of days before the end of the month; make two jobs of it"};
  }
  return {fmt::format("{}{}-{}{}{} {}:{}:{}", render_weekdays(p.weekdays), render(p.years, true),
                      render(p.months, true), from_end ? '~' : '-', days,
                      render(p.hours, p.follows_clock), render(p.minutes, true),
                      render(p.seconds, true)),
          ""};
}

CalendarForm to_calendar(std::chrono::seconds interval) {
  const auto seconds = interval.count();
  const auto repeat = [](std::int64_t step, std::int64_t all) {
    return step == all ? std::string("00") : step == 1 ? "*" : fmt::format("00/{}", step);
  };
  if (seconds == 604800) return {"Mon *-*-* 00:00:00", ""};
  if (86400 % seconds == 0 && seconds % 3600 == 0)
    return {fmt::format("*-*-* {}:00:00", repeat(seconds / 3600, 24)), ""};
  if (3600 % seconds == 0 && seconds % 60 == 0)
    return {fmt::format("*-*-* *:{}:00", repeat(seconds / 60, 60)), ""};
  if (60 % seconds == 0) return {fmt::format("*-*-* *:*:{}", repeat(seconds, 60)), ""};
  return {std::nullopt,
          "a calendar expression begins anew with every minute, hour and day, and this is no whole "
          "number of seconds, minutes or hours that divides one of them evenly"};
}

}  // namespace moonshift::schedule
