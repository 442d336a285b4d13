#pragma once

#include <string_view>
#include <vector>

#include "task/lint_commands.hpp"
#include "task/outline.hpp"

namespace moonshift::task {

/// A command where it is called, or written down for pipelined().
struct Site {
  std::size_t token;
  LintedCommand words;  ///< empty if the place does not show them
  std::vector<Outline::Range> arguments;

  bool named() const { return !words.empty() && words.front().has_value(); }
};

/// The commands that the range calls by redis.call(), redis.pcall() and write(), those that it
/// writes down as tables for pipelined(), and places that take redis.call itself for a value.
std::vector<Site> command_sites(const Outline& outline, Outline::Range range);

/// Whether the token's line has a comment that begins with `excuse` and says something.
bool is_excused(const Outline& outline, std::size_t token, std::string_view excuse);

}  // namespace moonshift::task
