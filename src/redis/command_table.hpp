#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "redis/connection.hpp"

namespace moonshift::redis {

/// What the server says of one command or subcommand.
struct CommandInfo {
  /// How many words it takes, its name included; negative: at least so many.
  std::int64_t arity = 0;
  bool write = false;
  bool readonly = false;
  bool noscript = false;  ///< EVAL refuses it
  bool blocking = false;  ///< may wait for other clients
  /// Counts as a write in a script that promised not to write. COMMAND does not tell this flag.
  bool may_replicate = false;

  bool takes(std::size_t words) const {
    const auto count = static_cast<std::int64_t>(words);
    return arity >= 0 ? count == arity : count >= -arity;
  }
};

/// Whether a command tells about the server and changes nothing, though it has no `readonly` flag.
/// The name is as COMMAND writes it: `memory|stats`.
bool is_informational(std::string_view name);

/// What the connected server says of its own commands
/// (https://redis.io/docs/latest/commands/command).
class CommandTable {
 public:
  /// Asks the server once. Throws RedisError.
  static CommandTable read(Connection& connection);

  /// What the server would run: with two words or more, the subcommand of a command that has any.
  /// Null if it would run nothing. A command that `rename-command` renamed is known by its old name
  /// only, since that is what COMMAND tells.
  const CommandInfo* find(Command command) const;

  /// Whether the command only looks: it has the `readonly` flag, or is one of the informational
  /// commands (INFO, TIME, CONFIG GET...) that carry none. What is not known may write.
  bool only_reads(Command command) const;

  /// Whether tasks may not call the command: EVAL refuses it, or it waits for other clients. Those
  /// change the connection or wait on it (MULTI, SUBSCRIBE, BLPOP, AUTH...).
  bool refused_in_scripts(Command command) const;

 private:
  /// Names are looked up as they were typed, without a lower-case copy: scripts ask for each of
  /// their commands.
  struct AnyCaseHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const;
  };
  struct AnyCaseEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const;
  };
  template <class Info>
  using Names = std::unordered_map<std::string, Info, AnyCaseHash, AnyCaseEqual>;

  struct Part {
    CommandInfo info;
    bool only_reads = false;
    bool refused_in_scripts = false;
  };
  struct Whole : Part {
    Names<Part> parts;  ///< XINFO and its like: XINFO STREAM has flags of its own
  };

  static Part part(const Reply& entry);
  const Part* find_part(Command command) const;

  Names<Whole> commands_;
};

}  // namespace moonshift::redis
