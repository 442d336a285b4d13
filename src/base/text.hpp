#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moonshift::base {

/// Whether `text` matches a glob as Redis's own KEYS and SCAN understand it: `*`, `?`, `[a-z]`,
/// `[^a]`, and a backslash that takes the next character literally. Both are bytes.
bool glob_match(std::string_view pattern, std::string_view text);

/// `text` as a glob that matches only itself.
std::string glob_escape(std::string_view text);

/// Bytes as a person can read them on a terminal: control characters and what is not UTF-8 become
/// `\n`, `\x00`..., and anything longer than `limit` bytes is cut with `...`.
std::string printable(std::string_view bytes, std::size_t limit = 200);

/// Of ASCII letters; whatever the locale.
bool equal_ignoring_case(std::string_view a, std::string_view b);

bool is_utf8(std::string_view bytes);

/// The candidates that `word` may have meant, nearest first; at most three.
std::vector<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// ` (did you mean a, b?)`, or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

/// `text` with the user and password of every URL in it (`://user:password@`) replaced by `***`:
/// for what a person typed and is shown again.
std::string hide_passwords(std::string_view text);

/// `a, b, c`
std::string join(std::span<const std::string> words, std::string_view separator = ", ");

}  // namespace moonshift::base
