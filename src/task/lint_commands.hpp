#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moonshift::task {

// What the linter knows of Redis's commands, as no server is there to be asked.

/// A command as it stands in a script: its words, as far as they are literals.
using LintedCommand = std::vector<std::optional<std::string>>;

/// Whether it is the name of a command that works on data, in capitals.
bool is_command(std::string_view name);

/// With the subcommand: `CONFIG SET`. Like those below it needs a literal for the first word.
std::string name_of(const LintedCommand& command);

/// Whether it only looks.
bool only_reads(const LintedCommand& command);

/// Why it may take as long as what it looks at is large, and Redis stands still meanwhile; empty if
/// it does not, as far as one can see.
std::string unbounded_work(const LintedCommand& command);

/// Where its first key stands; 0 if it has none there.
std::size_t first_key(const LintedCommand& command);

/// All of them as COMMAND names them (`memory|usage`), but for the informational ones.
std::span<const std::string_view> reading_commands();
std::span<const std::string_view> writing_commands();

}  // namespace moonshift::task
