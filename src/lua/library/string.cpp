#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "lua/library/argument.hpp"
#include "lua/library/library.hpp"
#include "lua/library/number_text.hpp"
#include "lua/library/pattern.hpp"
#include "lua/library/text_buffer.hpp"
#include "lua/stack.hpp"
#include "lua/state.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

int result(lua_State* lua, std::string_view text) {
  push(lua, text);
  return 1;
}

int result(lua_State*, const TextBuffer& text) {
  text.push();
  return 1;
}

int no_result(lua_State* lua) {
  lua_pushnil(lua);
  return 1;
}

/// An index as scripts give it, negative ones from the end; never negative itself.
std::int64_t index_in(std::string_view text, std::int64_t index) {
  if (index < 0) index += static_cast<std::int64_t>(text.size()) + 1;
  return std::max<std::int64_t>(index, 0);
}

struct Range {
  std::int64_t first;  ///< counted from one
  std::int64_t last;
};

Range clip(std::string_view text, Range range) {
  return {std::max<std::int64_t>(range.first, 1),
          std::min(range.last, static_cast<std::int64_t>(text.size()))};
}

int byte(lua_State* lua) {
  const std::string_view text = check_text(lua, 1);
  const std::int64_t first = index_in(text, optional_integer(lua, 2, 1));
  const std::int64_t last = index_in(text, optional_integer(lua, 3, first));
  const Range range = clip(text, {first, last});
  if (range.first > range.last) return 0;
  const int count = static_cast<int>(range.last - range.first + 1);
  luaL_checkstack(lua, count, "string slice too long");
  for (std::int64_t i = range.first; i <= range.last; ++i) {
    lua_pushinteger(lua, static_cast<unsigned char>(text[static_cast<std::size_t>(i - 1)]));
  }
  return count;
}

int character(lua_State* lua) {
  TextBuffer text(lua);
  for (int index = 1; index <= lua_gettop(lua); ++index) {
    const int code = check_int(lua, index);
    luaL_argcheck(lua, code >= 0 && code <= 255, index, "invalid value");
    text.append(static_cast<char>(code));
  }
  return result(lua, text);
}

int add_to_buffer(lua_State*, const void* piece, std::size_t size, void* buffer) {
  static_cast<TextBuffer*>(buffer)->append({static_cast<const char*>(piece), size});
  return 0;
}

/// Other bytes than the server's, but neither can be loaded.
int dump(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  lua_settop(lua, 1);
  TextBuffer buffer(lua);
  if (lua_dump(lua, add_to_buffer, &buffer) != 0) {
    return luaL_error(lua, "unable to dump given function");
  }
  return result(lua, buffer);
}

int len(lua_State* lua) {
  lua_pushinteger(lua, static_cast<lua_Integer>(check_text(lua, 1).size()));
  return 1;
}

template <int (*convert)(int)>
int convert_bytes(lua_State* lua) {
  TextBuffer text(lua);
  text.append(check_text(lua, 1));
  for (char& c : text) c = static_cast<char>(convert(static_cast<unsigned char>(c)));
  return result(lua, text);
}

int reverse(lua_State* lua) {
  TextBuffer text(lua);
  text.append(check_text(lua, 1));
  std::reverse(text.begin(), text.end());
  return result(lua, text);
}

int rep(lua_State* lua) {
  const std::string_view text = check_text(lua, 1);
  const int times = check_int(lua, 2);
  if (times <= 0 || text.empty()) return result(lua, "");
  const std::size_t size = text.size() * static_cast<std::size_t>(times);
  TextBuffer repeated(lua);
  repeated.reserve(size);
  repeated.append(text);
  while (repeated.text().size() < size) {
    repeated.append(repeated.text().substr(0, size - repeated.text().size()));
  }
  return result(lua, repeated);
}

int sub(lua_State* lua) {
  const std::string_view text = check_text(lua, 1);
  const std::int64_t first = index_in(text, check_integer(lua, 2));
  const std::int64_t last = index_in(text, optional_integer(lua, 3, -1));
  const Range range = clip(text, {first, last});
  if (range.first > range.last) return result(lua, "");
  return result(lua, text.substr(static_cast<std::size_t>(range.first - 1),
                                 static_cast<std::size_t>(range.last - range.first + 1)));
}

// Searching

PatternMatcher matcher_of(lua_State* lua, std::string_view subject, std::string_view pattern,
                          PatternMatcher::Caret caret) {
  return {subject, pattern, caret, [lua] { State::of(lua).stop_if_due(lua); }};
}

void push_capture(lua_State* lua, const PatternMatcher& matcher, std::size_t index) {
  const PatternMatcher::Capture capture = matcher.capture(index);
  if (const auto* position = std::get_if<std::size_t>(&capture)) {
    lua_pushinteger(lua, static_cast<lua_Integer>(*position));
  } else {
    push(lua, std::get<std::string_view>(capture));
  }
}

int push_captures(lua_State* lua, const PatternMatcher& matcher, std::size_t count) {
  luaL_checkstack(lua, static_cast<int>(count), "too many captures");
  for (std::size_t index = 0; index < count; ++index) push_capture(lua, matcher, index);
  return static_cast<int>(count);
}

/// The captures, or the whole match if the pattern has none.
int push_captures(lua_State* lua, const PatternMatcher& matcher) {
  return push_captures(lua, matcher, std::max<std::size_t>(matcher.captures(), 1));
}

/// Where find() and match() begin: their third argument.
std::size_t start_of_search(lua_State* lua, std::string_view subject) {
  const std::int64_t index = index_in(subject, optional_integer(lua, 3, 1));
  return std::min(static_cast<std::size_t>(std::max<std::int64_t>(index - 1, 0)), subject.size());
}

/// 5.1 looks for special characters up to the first NUL only.
bool is_plain(std::string_view pattern) {
  return pattern.substr(0, pattern.find('\0')).find_first_of("^$*+?.([%-") == pattern.npos;
}

int find(lua_State* lua) {
  const std::string_view subject = check_text(lua, 1);
  const std::string_view pattern = check_text(lua, 2);
  const std::size_t start = start_of_search(lua, subject);
  if (lua_toboolean(lua, 4) != 0 || is_plain(pattern)) {
    // string_view::find() would take quadratic time for repetitive text.
    const void* found =
        memmem(subject.data() + start, subject.size() - start, pattern.data(), pattern.size());
    if (found == nullptr) return no_result(lua);
    const std::ptrdiff_t offset = static_cast<const char*>(found) - subject.data();
    lua_pushinteger(lua, offset + 1);
    lua_pushinteger(lua, offset + static_cast<std::ptrdiff_t>(pattern.size()));
    return 2;
  }
  PatternMatcher matcher = matcher_of(lua, subject, pattern, PatternMatcher::Caret::kAnchors);
  const auto found = matcher.search(start);
  if (!found) return no_result(lua);
  lua_pushinteger(lua, static_cast<lua_Integer>(found->begin + 1));
  lua_pushinteger(lua, static_cast<lua_Integer>(found->end));
  return 2 + push_captures(lua, matcher, matcher.captures());
}

int match(lua_State* lua) {
  const std::string_view subject = check_text(lua, 1);
  const std::string_view pattern = check_text(lua, 2);
  const std::size_t start = start_of_search(lua, subject);
  PatternMatcher matcher = matcher_of(lua, subject, pattern, PatternMatcher::Caret::kAnchors);
  return matcher.search(start) ? push_captures(lua, matcher) : no_result(lua);
}

/// The iterator of gmatch(): subject, pattern and where to go on are its upvalues.
int next_match(lua_State* lua) {
  const std::string_view subject = string_at(lua, lua_upvalueindex(1));
  const std::string_view pattern = string_at(lua, lua_upvalueindex(2));
  const auto from = static_cast<std::size_t>(lua_tointeger(lua, lua_upvalueindex(3)));
  PatternMatcher matcher = matcher_of(lua, subject, pattern, PatternMatcher::Caret::kIsPlain);
  const auto found = matcher.search(from);
  if (!found) return 0;
  const bool empty = found->begin == found->end;
  lua_pushinteger(lua, static_cast<lua_Integer>(found->end + (empty ? 1 : 0)));
  lua_replace(lua, lua_upvalueindex(3));
  return push_captures(lua, matcher);
}

int gmatch(lua_State* lua) {
  check_text(lua, 1);
  check_text(lua, 2);
  lua_settop(lua, 2);
  lua_pushinteger(lua, 0);
  lua_pushcclosure(lua, trampoline<next_match>, 3);
  return 1;
}

constexpr int kReplacement = 3;  ///< the argument of gsub()

void append_capture(TextBuffer& buffer, const PatternMatcher& matcher, std::size_t index) {
  const PatternMatcher::Capture capture = matcher.capture(index);
  if (const auto* position = std::get_if<std::size_t>(&capture)) {
    buffer.append(number_text(static_cast<double>(*position)));
  } else {
    buffer.append(std::get<std::string_view>(capture));
  }
}

/// Text in which %1 to %9 stand for captures, and %0 for the whole match.
void append_template(TextBuffer& buffer, PatternMatcher& matcher, std::string_view match,
                     std::string_view text) {
  matcher.spend(text.size());
  while (true) {
    const std::size_t escape = std::min(text.find('%'), text.size());
    buffer.append(text.substr(0, escape));
    text.remove_prefix(escape);
    if (text.empty()) return;
    const char next = text.size() > 1 ? text[1] : '\0';  // 5.1 adds the NUL behind the string
    if (next == '0') {
      buffer.append(match);
    } else if (std::isdigit(static_cast<unsigned char>(next)) != 0) {
      append_capture(buffer, matcher, static_cast<std::size_t>(next - '1'));
    } else {
      buffer.append(next);
    }
    text.remove_prefix(std::min<std::size_t>(2, text.size()));
  }
}

/// What the function or the table has for the match; nil and false leave it as it is.
void append_answer(lua_State* lua, TextBuffer& buffer, const PatternMatcher& matcher,
                   std::string_view match) {
  {
    const NestedCall nested(lua);
    if (lua_isfunction(lua, kReplacement)) {
      lua_pushvalue(lua, kReplacement);
      lua_call(lua, push_captures(lua, matcher), 1);
    } else {
      push_capture(lua, matcher, 0);
      lua_gettable(lua, kReplacement);
    }
  }
  if (lua_toboolean(lua, -1) == 0) {
    buffer.append(match);
  } else if (lua_isstring(lua, -1) != 0) {
    make_text(lua, -1);
    buffer.append(string_at(lua, -1));
  } else {
    luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
  }
  lua_pop(lua, 1);
}

int gsub(lua_State* lua) {
  const std::string_view subject = check_text(lua, 1);
  const std::string_view pattern = check_text(lua, 2);
  const int type = lua_type(lua, kReplacement);
  const int most = optional_int(lua, 4, static_cast<int>(subject.size() + 1));
  const bool is_template = type == LUA_TSTRING || type == LUA_TNUMBER;
  luaL_argcheck(lua, is_template || type == LUA_TFUNCTION || type == LUA_TTABLE, kReplacement,
                "string/function/table expected");
  const std::string_view text = is_template ? check_text(lua, kReplacement) : "";

  PatternMatcher matcher = matcher_of(lua, subject, pattern, PatternMatcher::Caret::kAnchors);
  TextBuffer buffer(lua);
  std::size_t at = 0;
  int count = 0;
  while (count < most) {
    const auto found = matcher.search(at);
    if (!found) break;
    ++count;
    buffer.append(subject.substr(at, found->begin - at));
    const std::string_view match = subject.substr(found->begin, found->end - found->begin);
    if (is_template) {
      append_template(buffer, matcher, match, text);
    } else {
      append_answer(lua, buffer, matcher, match);
    }
    at = found->end;
    if (match.empty()) {
      if (at == subject.size()) break;
      buffer.append(subject[at++]);
    }
    if (matcher.anchored()) break;
  }
  buffer.append(subject.substr(at));
  buffer.push();
  lua_pushinteger(lua, count);
  return 2;
}

// Formatting

/// The flags, width and precision at the start of `format`.
std::string_view modifiers_of(lua_State* lua, std::string_view format) {
  constexpr std::string_view kFlags = "-+ #0";
  std::size_t end = std::min(format.find_first_not_of(kFlags), format.size());
  if (end > kFlags.size()) luaL_error(lua, "invalid format (repeated flags)");
  const auto at_digit = [&] {
    return end < format.size() && std::isdigit(static_cast<unsigned char>(format[end])) != 0;
  };
  const auto skip_two_digits = [&] {
    for (int digits = 0; digits < 2 && at_digit(); ++digits) ++end;
  };
  skip_two_digits();
  if (end < format.size() && format[end] == '.') {
    ++end;
    skip_two_digits();
  }
  if (at_digit()) luaL_error(lua, "invalid format (width or precision too long)");
  return format.substr(0, end);
}

/// Formats by the C library. All that it is given fits: numbers are at most 99 digits wide or have
/// 99 decimals, strings are short or cut. What comes behind a NUL is lost, as in 5.1.
template <class T>
void append_printed(TextBuffer& buffer, const std::string& conversion, T value) {
  std::array<char, 512> text;
  std::snprintf(text.data(), text.size(), conversion.c_str(), value);
  buffer.append(text.data());
}

/// As a C compiler converts on x86-64.
std::uint64_t to_unsigned(double number) {
  constexpr double kHalf = 0x1p63;
  if (!(number >= kHalf)) return static_cast<std::uint64_t>(to_integer(number));
  return static_cast<std::uint64_t>(to_integer(number - kHalf)) ^ (std::uint64_t{1} << 63);
}

int to_int(double number) {
  constexpr double kEnd = 0x1p31;
  return number > -kEnd - 1 && number < kEnd ? static_cast<int>(number)
                                             : std::numeric_limits<int>::min();
}

void append_quoted(TextBuffer& buffer, std::string_view text) {
  buffer.append('"');
  for (const char c : text) {
    if (c == '\r') {
      buffer.append("\\r");
    } else if (c == '\0') {
      buffer.append("\\000");
    } else {
      if (c == '"' || c == '\\' || c == '\n') buffer.append('\\');
      buffer.append(c);
    }
  }
  buffer.append('"');
}

void append_text(TextBuffer& buffer, const std::string& conversion, std::string_view text) {
  constexpr std::size_t kLong = 100;
  if (text.size() >= kLong && conversion.find('.') == conversion.npos) {
    buffer.append(text);
  } else {
    append_printed(buffer, conversion, text.data());
  }
}

int format(lua_State* lua) {
  const int arguments = lua_gettop(lua);
  const std::string_view format = check_text(lua, 1);
  TextBuffer buffer(lua);
  int argument = 1;
  std::size_t at = 0;
  while (at < format.size()) {
    const std::size_t percent = std::min(format.find('%', at), format.size());
    buffer.append(format.substr(at, percent - at));
    at = percent + 1;
    if (percent == format.size()) break;
    if (at < format.size() && format[at] == '%') {
      buffer.append('%');
      ++at;
      continue;
    }
    if (++argument > arguments) return luaL_argerror(lua, argument, "no value");
    const std::string modifiers = '%' + std::string(modifiers_of(lua, format.substr(at)));
    at += modifiers.size() - 1;
    const char kind = at < format.size() ? format[at] : '\0';
    ++at;
    const std::string conversion = modifiers + kind;
    const std::string long_conversion = modifiers + 'l' + kind;
    switch (kind) {
      case 'c':
        append_printed(buffer, conversion, to_int(check_number(lua, argument)));
        break;
      case 'd':
      case 'i':
        append_printed(buffer, long_conversion, long{to_integer(check_number(lua, argument))});
        break;
      case 'o':
      case 'u':
      case 'x':
      case 'X':
        append_printed(buffer, long_conversion, to_unsigned(check_number(lua, argument)));
        break;
      case 'e':
      case 'E':
      case 'f':
      case 'g':
      case 'G':
        append_printed(buffer, conversion, check_number(lua, argument));
        break;
      case 'q':
        append_quoted(buffer, check_text(lua, argument));
        break;
      case 's':
        append_text(buffer, conversion, check_text(lua, argument));
        break;
      default:
        return luaL_error(lua, "invalid option '%%%s' to 'format'", std::string(1, kind).c_str());
    }
  }
  return result(lua, buffer);
}

constexpr luaL_Reg kFunctions[] = {
    {"byte", trampoline<byte>},
    {"char", trampoline<character>},
    {"dump", trampoline<dump>},
    {"find", trampoline<find>},
    {"format", trampoline<format>},
    {"gmatch", trampoline<gmatch>},
    {"gsub", trampoline<gsub>},
    {"len", trampoline<len>},
    {"lower", trampoline<convert_bytes<std::tolower>>},
    {"match", trampoline<match>},
    {"rep", trampoline<rep>},
    {"reverse", trampoline<reverse>},
    {"sub", trampoline<sub>},
    {"upper", trampoline<convert_bytes<std::toupper>>},
    {nullptr, nullptr},
};

}  // namespace

void push_string_library(lua_State* lua) {
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
  lua_getfield(lua, -1, "gmatch");
  lua_setfield(lua, -2, "gfind");  // its name in Lua 5.0
}

}  // namespace moonshift::lua
