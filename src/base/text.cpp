#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace moonshift::base {

namespace {

struct ClassMatch {
  bool matches;
  std::size_t length;  ///< of the class in the pattern, brackets included
};

/// `pattern` starts with `[`. An unclosed class ends with the pattern, as in Redis (util.c).
ClassMatch match_class(std::string_view pattern, unsigned char c) {
  std::size_t i = 1;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  const auto at = [&](std::size_t k) { return static_cast<unsigned char>(pattern[k]); };
  bool found = false;
  while (i < pattern.size() && pattern[i] != ']') {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      found = found || at(i) == c;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      const auto [low, high] = std::minmax({at(i), at(i + 2)});
      found = found || (low <= c && c <= high);
      i += 2;
    } else {
      found = found || at(i) == c;
    }
    ++i;
  }
  return {found != negated, std::min(i + 1, pattern.size())};
}

/// How many bytes a UTF-8 sequence that starts at `bytes` takes; 0 if it is none.
std::size_t utf8_length(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || length > bytes.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(bytes[i]) & 0xC0) != 0x80) return 0;
  }
  const auto second = length > 1 ? static_cast<unsigned char>(bytes[1]) : 0;
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool surrogate = lead == 0xED && second >= 0xA0;
  const bool beyond = lead == 0xF4 && second >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

/// Of a whole character: what a terminal obeys. Beside ASCII's, those from U+0080 to U+009F.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  // On a mismatch only the last star needs another try: earlier ones have matched as little as
  // possible. So time is at most |pattern| * |text|, whatever the pattern.
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    std::size_t step = 0;
    if (p < pattern.size()) {
      const auto c = static_cast<unsigned char>(text[t]);
      switch (pattern[p]) {
        case '*':
          star = p++;
          star_text = t;
          continue;
        case '?':
          step = 1;
          break;
        case '[':
          if (const auto match = match_class(pattern.substr(p), c); match.matches) {
            step = match.length;
          }
          break;
        case '\\':
          if (p + 1 < pattern.size()) {
            step = pattern[p + 1] == text[t] ? 2 : 0;
            break;
          }
          [[fallthrough]];
        default:
          step = pattern[p] == text[t] ? 1 : 0;
      }
    }
    if (step > 0) {
      p += step;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string glob_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("*?[]\\^-").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string printable(std::string_view bytes, std::size_t limit) {
  std::string text;
  std::size_t i = 0;
  for (; i < bytes.size() && i < limit;) {
    const std::size_t length = utf8_length(bytes.substr(i));
    const std::string_view character = bytes.substr(i, std::max<std::size_t>(length, 1));
    if (length > 0 && !is_control(character)) {
      text += character;
    } else if (character == "\n") {
      text += "\\n";
    } else {
      for (const char c : character)
        text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    i += character.size();
  }
  if (i < bytes.size()) text += "...";
  return text;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::vector<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  struct Ranked {
    std::size_t distance;
    std::string name;
  };
  std::vector<Ranked> ranked;
  for (const std::string& name : candidates) {
    const bool part = word.size() >= 3 && name.find(word) != std::string::npos;
    const std::size_t distance = part ? 1 : edit_distance(word, name);
    if (distance <= std::max<std::size_t>(2, word.size() / 3) && distance < word.size())
      ranked.push_back({distance, name});
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const Ranked& a, const Ranked& b) { return a.distance < b.distance; });
  std::vector<std::string> names;
  for (const Ranked& entry : ranked) {
    if (names.size() < 3) names.push_back(entry.name);
  }
  return names;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const auto names = nearest(word, candidates);
  return names.empty() ? "" : fmt::format(" (did you mean {}?)", join(names, " or "));
}

std::string hide_passwords(std::string_view text) {
  std::string hidden;
  for (auto scheme = text.find("://"); scheme != std::string_view::npos;
       scheme = text.find("://")) {
    const auto begin = scheme + 3;
    const auto end = std::min(text.find_first_of(" \n\t'\"", begin), text.size());
    const auto at = text.substr(begin, end - begin).rfind('@');
    hidden += text.substr(0, begin);
    if (at == std::string_view::npos) {
      hidden += text.substr(begin, end - begin);
    } else {
      hidden += "***";
      hidden += text.substr(begin + at, end - begin - at);
    }
    text.remove_prefix(end);
  }
  return hidden.append(text);
}

std::string join(std::span<const std::string> words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

}  // namespace moonshift::base
