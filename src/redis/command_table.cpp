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

/// Places in an entry of COMMAND's reply. Redis 6 tells no subcommands.
constexpr std::size_t kName = 0, kArity = 1, kFlags = 2, kSubcommands = 9;

/// Those that send something to replicas or other clients without being writes (redis
/// src/commands/*.json, MAY_REPLICATE), as far as EVAL lets them run.
constexpr std::array<std::string_view, 3> kMayReplicate{"pfcount", "publish", "spublish"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_flag(const Reply& flags, std::string_view name) {
  return std::any_of(flags.elements.begin(), flags.elements.end(),
                     [&](const Reply& flag) { return flag.text == name; });
}

}  // namespace

bool is_informational(std::string_view name) { return contains(kInformational, name); }

/// FNV-1a.
std::size_t CommandTable::AnyCaseHash::operator()(std::string_view name) const {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(lower(c))) * 0x100000001b3;
  }
  return hash;
}

bool CommandTable::AnyCaseEqual::operator()(std::string_view a, std::string_view b) const {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

CommandTable CommandTable::read(Connection& connection) {
  CommandTable table;
  for (const Reply& entry : connection.expect({"COMMAND"}).elements) {
    if (entry.elements.size() <= kFlags) continue;
    Whole& whole = table.commands_[entry.elements[kName].text];
    static_cast<Part&>(whole) = part(entry);
    if (entry.elements.size() <= kSubcommands) continue;
    for (const Reply& sub : entry.elements[kSubcommands].elements) {
      if (sub.elements.size() <= kFlags) continue;
      const std::string& name = sub.elements[kName].text;  // "xinfo|stream"
      whole.parts[name.substr(name.find('|') + 1)] = part(sub);
    }
  }
  return table;
}

CommandTable::Part CommandTable::part(const Reply& entry) {
  const std::string& name = entry.elements[kName].text;
  const Reply& flags = entry.elements[kFlags];
  const CommandInfo info{.arity = entry.elements[kArity].integer,
                         .write = has_flag(flags, "write"),
                         .readonly = has_flag(flags, "readonly"),
                         .noscript = has_flag(flags, "noscript"),
                         .blocking = has_flag(flags, "blocking"),
                         .may_replicate = contains(kMayReplicate, name)};
  // Redis 8 lets EVAL call BLPOP and its like, and there they do not wait; sent on their own they
  // do.
  const bool waits = info.blocking && name != "xread" && name != "xreadgroup";
  return {info, info.readonly || is_informational(name), info.noscript || waits};
}

/// As lookupCommandLogic of redis src/server.c.
const CommandTable::Part* CommandTable::find_part(Command command) const {
  if (command.empty()) return nullptr;
  const auto whole = commands_.find(command[0]);
  if (whole == commands_.end()) return nullptr;
  const Names<Part>& parts = whole->second.parts;
  if (parts.empty() || command.size() == 1) return &whole->second;
  const auto part = parts.find(command[1]);
  return part == parts.end() ? nullptr : &part->second;
}

const CommandInfo* CommandTable::find(Command command) const {
  const Part* part = find_part(command);
  return part == nullptr ? nullptr : &part->info;
}

bool CommandTable::only_reads(Command command) const {
  const Part* part = find_part(command);
  return part != nullptr && part->only_reads;
}

bool CommandTable::refused_in_scripts(Command command) const {
  const Part* part = find_part(command);
  return part != nullptr && part->refused_in_scripts;
}

}  // namespace moonshift::redis
