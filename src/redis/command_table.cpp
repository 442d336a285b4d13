#include "redis/command_table.hpp"

#include <algorithm>
#include <array>

namespace moonshift::redis {

namespace {

/// Commands that tell about the server and change nothing, though they have no `readonly` flag.
constexpr std::array<std::string_view, 36> kInformational{"acl|cat",        "acl|dryrun",
                                                          "acl|list",       "acl|whoami",
                                                          "client|getname", "client|id",
                                                          "client|info",    "client|list",
                                                          "cluster|info",   "cluster|myid",
                                                          "cluster|nodes",  "cluster|shards",
                                                          "cluster|slots",  "command",
                                                          "command|count",  "command|info",
                                                          "config|get",     "echo",
                                                          "info",           "lastsave",
                                                          "latency|doctor", "latency|history",
                                                          "latency|latest", "memory|doctor",
                                                          "memory|stats",   "module|list",
                                                          "ping",           "pubsub|channels",
                                                          "pubsub|numpat",  "pubsub|numsub",
                                                          "role",           "script|exists",
                                                          "slowlog|get",    "slowlog|len",
                                                          "time",           "xinfo|help"};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return lower;
}

bool has_flag(const Reply& flags, std::string_view name) {
  return std::any_of(flags.elements.begin(), flags.elements.end(),
                     [&](const Reply& flag) { return flag.text == name; });
}

bool is_informational(std::string_view name) {
  return std::find(kInformational.begin(), kInformational.end(), name) != kInformational.end();
}

}  // namespace

CommandTable CommandTable::read(Connection& connection) {
  CommandTable table;
  for (const Reply& entry : connection.expect({"COMMAND"}).elements) table.add(entry);
  return table;
}

void CommandTable::add(const Reply& entry) {
  // name, arity, flags, three key positions, ACL categories, tips, key specifications, subcommands
  constexpr std::size_t kFlags = 2, kSubcommands = 9;
  if (entry.elements.size() <= kFlags) return;
  const Reply& flags = entry.elements[kFlags];
  const std::string name = lower_case(entry.elements[0].text);
  const bool has_parts =
      entry.elements.size() > kSubcommands && !entry.elements[kSubcommands].elements.empty();
  // Redis 8 lets EVAL call BLPOP and its like, and there they do not wait; sent on their own they
  // do.
  const bool waits = has_flag(flags, "blocking") && name != "xread" && name != "xreadgroup";
  flags_[name] = {has_flag(flags, "readonly") || is_informational(name),
                  has_flag(flags, "noscript") || waits, has_parts};
  if (!has_parts) return;
  for (const Reply& part : entry.elements[kSubcommands].elements) add(part);
}

bool CommandTable::only_reads(Command command) const {
  const Flags* flags = find(command);
  return flags != nullptr && flags->readonly;
}

bool CommandTable::refused_in_scripts(Command command) const {
  const Flags* flags = find(command);
  return flags != nullptr && flags->noscript;
}

/// Scripts ask for each of their commands, so the name of a part is put together only where there
/// are any.
const CommandTable::Flags* CommandTable::find(Command command) const {
  const std::string name = lower_case(command[0]);
  const auto whole = flags_.find(name);
  if (whole == flags_.end()) return nullptr;
  if (!whole->second.has_parts || command.size() < 2) return &whole->second;
  const auto part = flags_.find(name + "|" + lower_case(command[1].substr(0, 32)));
  return part == flags_.end() ? &whole->second : &part->second;
}

}  // namespace moonshift::redis
