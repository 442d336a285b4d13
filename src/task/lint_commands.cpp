#include "task/lint_commands.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "base/text.hpp"
#include "redis/command_table.hpp"

namespace moonshift::task {

namespace {

using base::equal_ignoring_case;

/// Those with the flag `readonly`, of Redis 7.0 to 8 and Valkey.
constexpr std::string_view kReading[] = {"bitcount",
                                         "bitfield_ro",
                                         "bitpos",
                                         "dbsize",
                                         "dump",
                                         "eval_ro",
                                         "evalsha_ro",
                                         "exists",
                                         "expiretime",
                                         "fcall_ro",
                                         "geodist",
                                         "geohash",
                                         "geopos",
                                         "georadius_ro",
                                         "georadiusbymember_ro",
                                         "geosearch",
                                         "get",
                                         "getbit",
                                         "getrange",
                                         "hexists",
                                         "hexpiretime",
                                         "hget",
                                         "hgetall",
                                         "hkeys",
                                         "hlen",
                                         "hmget",
                                         "hpexpiretime",
                                         "hpttl",
                                         "hrandfield",
                                         "hscan",
                                         "hstrlen",
                                         "httl",
                                         "hvals",
                                         "keys",
                                         "lcs",
                                         "lindex",
                                         "llen",
                                         "lolwut",
                                         "lpos",
                                         "lrange",
                                         "memory|usage",
                                         "mget",
                                         "object|encoding",
                                         "object|freq",
                                         "object|idletime",
                                         "object|refcount",
                                         "pexpiretime",
                                         "pfcount",
                                         "pttl",
                                         "randomkey",
                                         "scan",
                                         "scard",
                                         "sdiff",
                                         "sinter",
                                         "sintercard",
                                         "sismember",
                                         "smembers",
                                         "smismember",
                                         "sort_ro",
                                         "srandmember",
                                         "sscan",
                                         "strlen",
                                         "substr",
                                         "sunion",
                                         "touch",
                                         "ttl",
                                         "type",
                                         "vcard",
                                         "vdim",
                                         "vemb",
                                         "vgetattr",
                                         "vinfo",
                                         "vismember",
                                         "vlinks",
                                         "vrandmember",
                                         "vrange",
                                         "vsim",
                                         "xinfo|consumers",
                                         "xinfo|groups",
                                         "xinfo|stream",
                                         "xlen",
                                         "xpending",
                                         "xrange",
                                         "xread",
                                         "xrevrange",
                                         "zcard",
                                         "zcount",
                                         "zdiff",
                                         "zinter",
                                         "zintercard",
                                         "zlexcount",
                                         "zmscore",
                                         "zrandmember",
                                         "zrange",
                                         "zrangebylex",
                                         "zrangebyscore",
                                         "zrank",
                                         "zrevrange",
                                         "zrevrangebylex",
                                         "zrevrangebyscore",
                                         "zrevrank",
                                         "zscan",
                                         "zscore",
                                         "zunion"};

/// Those with the flag `write`, and the like.
constexpr std::string_view kWriting[] = {"append",
                                         "bitfield",
                                         "bitop",
                                         "blmove",
                                         "blmpop",
                                         "blpop",
                                         "brpop",
                                         "brpoplpush",
                                         "bzmpop",
                                         "bzpopmax",
                                         "bzpopmin",
                                         "copy",
                                         "decr",
                                         "decrby",
                                         "del",
                                         "delifeq",
                                         "expire",
                                         "expireat",
                                         "flushall",
                                         "flushdb",
                                         "geoadd",
                                         "georadius",
                                         "georadiusbymember",
                                         "geosearchstore",
                                         "getdel",
                                         "getex",
                                         "getset",
                                         "hdel",
                                         "hexpire",
                                         "hexpireat",
                                         "hgetdel",
                                         "hgetex",
                                         "hincrby",
                                         "hincrbyfloat",
                                         "hmset",
                                         "hpersist",
                                         "hpexpire",
                                         "hpexpireat",
                                         "hset",
                                         "hsetex",
                                         "hsetnx",
                                         "incr",
                                         "incrby",
                                         "incrbyfloat",
                                         "linsert",
                                         "lmove",
                                         "lmpop",
                                         "lpop",
                                         "lpush",
                                         "lpushx",
                                         "lrem",
                                         "lset",
                                         "ltrim",
                                         "migrate",
                                         "move",
                                         "mset",
                                         "msetnx",
                                         "persist",
                                         "pexpire",
                                         "pexpireat",
                                         "pfadd",
                                         "pfdebug",
                                         "pfmerge",
                                         "psetex",
                                         "publish",
                                         "rename",
                                         "renamenx",
                                         "restore",
                                         "restore-asking",
                                         "rpop",
                                         "rpoplpush",
                                         "rpush",
                                         "rpushx",
                                         "sadd",
                                         "sdiffstore",
                                         "set",
                                         "setbit",
                                         "setex",
                                         "setnx",
                                         "setrange",
                                         "sinterstore",
                                         "smove",
                                         "sort",
                                         "spop",
                                         "spublish",
                                         "srem",
                                         "sunionstore",
                                         "swapdb",
                                         "unlink",
                                         "vadd",
                                         "vrem",
                                         "vsetattr",
                                         "xack",
                                         "xackdel",
                                         "xadd",
                                         "xautoclaim",
                                         "xclaim",
                                         "xdel",
                                         "xdelex",
                                         "xgroup",
                                         "xreadgroup",
                                         "xsetid",
                                         "xtrim",
                                         "zadd",
                                         "zdiffstore",
                                         "zincrby",
                                         "zinterstore",
                                         "zmpop",
                                         "zpopmax",
                                         "zpopmin",
                                         "zrangestore",
                                         "zrem",
                                         "zremrangebylex",
                                         "zremrangebyrank",
                                         "zremrangebyscore",
                                         "zunionstore"};

/// Those with subcommands.
constexpr std::string_view kContainers[] = {"acl",      "client",  "cluster", "command", "config",
                                            "function", "latency", "memory",  "module",  "object",
                                            "pubsub",   "script",  "slowlog", "xgroup",  "xinfo"};

/// All of what they look at.
constexpr std::string_view kUnbounded[] = {"flushall", "flushdb",  "hgetall", "hkeys",  "hvals",
                                           "keys",     "smembers", "sort",    "sort_ro"};

/// A walk from one end to the other, and the option that bounds it.
struct Walk {
  std::string_view name, from, to, bound;
};

constexpr Walk kWalks[] = {
    {"lrange", "0", "-1", ""},
    {"zrange", "0", "-1", ""},
    {"zrange", "-inf", "+inf", "LIMIT"},
    {"zrange", "-", "+", "LIMIT"},
    {"zrevrange", "0", "-1", ""},
    {"zrangebyscore", "-inf", "+inf", "LIMIT"},
    {"zrevrangebyscore", "+inf", "-inf", "LIMIT"},
    {"zrangebylex", "-", "+", "LIMIT"},
    {"zrevrangebylex", "+", "-", "LIMIT"},
    {"xrange", "-", "+", "COUNT"},
    {"xrevrange", "+", "-", "COUNT"},
};

/// Their second word is no key.
constexpr std::string_view kKeyless[] = {
    "acl",     "bitop",    "client",    "cluster", "command",  "config",    "dbsize",
    "echo",    "eval",     "evalsha",   "fcall",   "flushall", "flushdb",   "function",
    "info",    "keys",     "lastsave",  "latency", "migrate",  "module",    "ping",
    "publish", "pubsub",   "randomkey", "role",    "scan",     "script",    "select",
    "slowlog", "spublish", "swapdb",    "time",    "xread",    "xreadgroup"};

template <std::size_t count>
bool contains(const std::string_view (&names)[count], std::string_view name) {
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view known) { return equal_ignoring_case(known, name); });
}

bool has(const LintedCommand& command, std::size_t index, std::string_view word) {
  return index < command.size() && command[index] && equal_ignoring_case(*command[index], word);
}

/// Also where words are no literals: an option may be among them, but seldom is.
bool has_option(const LintedCommand& command, std::string_view option) {
  for (std::size_t i = 4; i < command.size(); ++i) {
    if (has(command, i, option)) return true;
  }
  return false;
}

}  // namespace

bool is_command(std::string_view name) {
  const bool reads = contains(kReading, name) || contains(kContainers, name);
  const bool in_capitals =
      std::none_of(name.begin(), name.end(), [](char x) { return x >= 'a' && x <= 'z'; });
  return in_capitals && (reads || contains(kWriting, name));
}

std::string name_of(const LintedCommand& command) {
  const std::string& name = *command.front();
  const bool has_part = contains(kContainers, name) && command.size() > 1 && command[1];
  return has_part ? name + " " + *command[1] : name;
}

bool only_reads(const LintedCommand& command) {
  std::string name = name_of(command);
  std::replace(name.begin(), name.end(), ' ', '|');
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return contains(kReading, name) || redis::is_informational(name);
}

std::string unbounded_work(const LintedCommand& command) {
  const std::string& name = *command.front();
  if (contains(kUnbounded, name)) return "takes all there is at once";
  for (const Walk& walk : kWalks) {
    if (!equal_ignoring_case(walk.name, name) || !has(command, 2, walk.from)) continue;
    if (!has(command, 3, walk.to)) continue;
    if (walk.bound.empty()) return "takes all there is at once";
    if (!has_option(command, walk.bound))
      return "takes all there is at once, without " + std::string(walk.bound);
  }
  return "";
}

std::size_t first_key(const LintedCommand& command) {
  const std::string& name = *command.front();
  if (contains(kKeyless, name)) return 0;
  return contains(kContainers, name) ? 2 : 1;
}

std::span<const std::string_view> reading_commands() { return kReading; }

std::span<const std::string_view> writing_commands() { return kWriting; }

}  // namespace moonshift::task
