#include "schedule/cron.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.hpp"
#include "schedule/expression.hpp"
#include "schedule/words.hpp"

namespace moonshift::schedule {

namespace {

constexpr std::array<std::string_view, 12> kMonthNames{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                       "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kDayNames{"SUN", "MON", "TUE", "WED",
                                                    "THU", "FRI", "SAT"};

/// A field as cron writes it: its weekdays begin with Sunday, twice.
struct Syntax {
  Field field;
  std::string_view what;
  std::span<const std::string_view> names;
  bool has_last = false;
};

constexpr Syntax kCronSecond{kSecond, "second", {}};
constexpr Syntax kCronMinute{kMinute, "minute", {}};
constexpr Syntax kCronHour{kHour, "hour", {}};
constexpr Syntax kCronDay{kDay, "day of the month", {}, true};
constexpr Syntax kCronMonth{kMonth, "month", kMonthNames};
constexpr Syntax kCronWeekday{{"weekday", 0, 7}, "weekday", kDayNames};

/// What one field says.
struct Values {
  FieldSet set;
  bool last_day = false;
  bool starred = false;  ///< contains a `*`
  bool open = false;     ///< a part of it goes on to the end of the field
};

std::string allowed(const Syntax& syntax) {
  std::string text = fmt::format("{} to {}", syntax.field.first, syntax.field.last);
  if (!syntax.names.empty())
    text += fmt::format(" or {} to {}", syntax.names.front(), syntax.names.back());
  if (syntax.has_last) text += " or L for the last";
  return text;
}

int take_value(Reader& reader, const Syntax& syntax) {
  const char* at = reader.position();
  if (const auto number = reader.take_number()) {
    if (*number >= syntax.field.first && *number <= syntax.field.last) return *number;
    reader.fail(at, fmt::format("{} is no {}: write {}", *number, syntax.what, allowed(syntax)));
  }
  const std::string_view word = reader.take_letters();
  const auto name = std::find_if(
      syntax.names.begin(), syntax.names.end(),
      [&](std::string_view candidate) { return base::equal_ignoring_case(candidate, word); });
  if (!word.empty() && name != syntax.names.end())
    return syntax.field.first + static_cast<int>(name - syntax.names.begin());
  const std::string_view shown = word.empty() ? reader.from(at) : word;
  reader.fail(at, fmt::format("{} is no {}: write *, or {}",
                              shown.empty() ? "nothing" : fmt::format("'{}'", shown), syntax.what,
                              allowed(syntax)));
}

/// The last value that a `*` or an open step reaches: the second Sunday is none of its own.
int end_of(const Syntax& syntax) { return syntax.field.name == "weekday" ? 6 : syntax.field.last; }

int take_step(Reader& reader, const Syntax& syntax) {
  const char* at = reader.position();
  const auto step = reader.take_number();
  if (!step || *step == 0) reader.fail(at, "after / comes a step of 1 or more");
  if (*step > end_of(syntax) - syntax.field.first) {
    reader.fail(at, fmt::format("a step of {} goes beyond the last {} ({}); an interval is written "
                                "every = \"90m\"",
                                *step, syntax.what, allowed(syntax)));
  }
  return *step;
}

/// Sunday is 0 for cron, and 7 as well; here it is 7.
void add_value(FieldSet& set, const Syntax& syntax, int value) {
  set.add(syntax.field.name == "weekday" && value == 0 ? 7 : value);
}

/// One element of a list.
void read_element(Reader& reader, const Syntax& syntax, Values& values) {
  int first = syntax.field.first, last = end_of(syntax), step = 1;
  const char* at = reader.position();
  const bool star = reader.take("*");
  bool range = star;
  if (!star) {
    if (syntax.has_last && (reader.peek() == 'L' || reader.peek() == 'l')) {
      const std::string_view word = reader.take_letters();
      if (word.size() > 1 || reader.peek() == '-')
        reader.fail(at,
                    "L stands alone for the last day; for others use a calendar expression, "
                    "such as *-*~03 for the third last");
      values.last_day = true;
      return;
    }
    first = take_value(reader, syntax);
    if (reader.take("-")) {
      const char* end_at = reader.position();
      last = take_value(reader, syntax);
      if (syntax.field.name == "weekday" && last == 0 && first > 0) last = 7;
      if (last < first)
        reader.fail(end_at,
                    fmt::format("the range {}-{} runs backwards: write two ranges, {}-{} "
                                "and {}-{}",
                                first, last, first, end_of(syntax), syntax.field.first, last));
      range = true;
    }
  }
  const bool stepped = reader.take("/");
  if (stepped) step = take_step(reader, syntax);
  if (!range && !stepped) last = first;
  if (star || (!range && stepped)) values.open = true;
  if (star) values.starred = true;
  for (int value = first; value <= last; value += step) add_value(values.set, syntax, value);
}

Values read_field(const Expression& expression, std::string_view text, const Syntax& syntax) {
  Values values{FieldSet(syntax.field.name == "weekday" ? kWeekday : syntax.field)};
  Reader reader(expression, text);
  do {
    read_element(reader, syntax, values);
  } while (reader.take(","));
  if (reader.peek() == 'L' || reader.peek() == 'l' || reader.peek() == '#' ||
      reader.peek() == 'W') {
    reader.fail(reader.position(),
                "cron has no such day; use a calendar expression, such as "
                "Fri *-*~07/1 for the last Friday of a month");
  }
  if (!reader.at_end()) {
    reader.fail(
        reader.position(),
        fmt::format("what is '{}'? A {} is *, {}, a range a-b, a step such as */2, or a list "
                    "with commas",
                    reader.from(reader.position()), syntax.what, allowed(syntax)));
  }
  return values;
}

/// What @daily and its like stand for.
std::string_view expand_nickname(const Expression& expression, std::string_view word) {
  struct Nickname {
    std::string_view name, fields;
  };
  static constexpr std::array kNicknames{
      Nickname{"@yearly", "0 0 1 1 *"},  Nickname{"@annually", "0 0 1 1 *"},
      Nickname{"@monthly", "0 0 1 * *"}, Nickname{"@weekly", "0 0 * * 0"},
      Nickname{"@daily", "0 0 * * *"},   Nickname{"@midnight", "0 0 * * *"},
      Nickname{"@hourly", "0 * * * *"}};
  std::vector<std::string> names;
  for (const Nickname& nickname : kNicknames) {
    if (base::equal_ignoring_case(nickname.name, word)) return nickname.fields;
    names.emplace_back(nickname.name);
  }
  if (base::equal_ignoring_case(word, "@reboot"))
    expression.fail(word.data(), "@reboot names no time; let a systemd service start the job");
  if (base::equal_ignoring_case(word, "@every"))
    expression.fail(word.data(), "an interval is written every = \"6h\"");
  expression.fail(word.data(), fmt::format("there is no {}{}; there are: {}", word,
                                           base::did_you_mean(word, names), base::join(names)));
}

/// Either the day of the month or the weekday is enough.
void join_days(Pattern& pattern) {
  pattern.either_day = !pattern.days.full() && !pattern.weekdays.full();
  if (pattern.either_day) return;
  pattern.days = FieldSet::all(kDay);
  pattern.last_days = FieldSet(kDay);
  pattern.weekdays = FieldSet::all(kWeekday);
}

Pattern read_fields(const Expression& expression, std::vector<std::string_view> fields) {
  Pattern pattern;
  if (fields.size() == 6) {
    pattern.seconds = read_field(expression, fields[0], kCronSecond).set;
    fields.erase(fields.begin());
  }
  pattern.minutes = read_field(expression, fields[0], kCronMinute).set;
  const Values hours = read_field(expression, fields[1], kCronHour);
  const Values days = read_field(expression, fields[2], kCronDay);
  pattern.months = read_field(expression, fields[3], kCronMonth).set;
  const Values weekdays = read_field(expression, fields[4], kCronWeekday);
  pattern.hours = hours.set;
  pattern.follows_clock = hours.open || hours.set.full();
  pattern.days = days.set;
  if (days.last_day && !days.set.full()) pattern.last_days.add(1);
  pattern.weekdays = weekdays.set;
  if (!days.starred && !weekdays.starred) join_days(pattern);
  if (!pattern.possible()) expression.fail(fields[2].data(), why_no_day(pattern));
  return pattern;
}

}  // namespace

Pattern parse_cron(std::string_view text) {
  const Expression expression{"cron", text};
  std::vector<std::string_view> fields = split_words(text);
  if (!fields.empty() && fields[0].starts_with('@')) {
    const std::string_view expanded = expand_nickname(expression, fields[0]);
    if (fields.size() > 1)
      expression.fail(fields[1].data(), fmt::format("{} stands alone", fields[0]));
    return read_fields({"cron", expanded}, split_words(expanded));
  }
  if (fields.size() != 5 && fields.size() != 6) {
    const char* at = fields.size() > 6 ? fields[6].data() : text.data() + text.size();
    expression.fail(at,
                    fmt::format("this has {} field{}: write five (minute, hour, day of the month, "
                                "month, weekday), as in \"30 2 * * *\", or six with seconds first",
                                fields.size(), fields.size() == 1 ? "" : "s"));
  }
  return read_fields(expression, std::move(fields));
}

}  // namespace moonshift::schedule
