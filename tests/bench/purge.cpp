#include <algorithm>
#include <deque>
#include <iostream>
#include <stdexcept>

#include "modes.hpp"

namespace bench {

namespace {

/// Fills an empty Redis with `leaked` keys without a TTL and `live` keys with one.
Check fill(Redis& redis, long leaked, long live) {
  long unanswered = 0;
  const auto settle = [&] {
    for (; unanswered > 0; --unanswered) redis.next();
  };
  for (long i = 0; i < std::max(leaked, live); ++i) {
    const std::string number = std::to_string(i);
    if (i < leaked) redis.append({"SET", "rl:leaked:" + number, "1"}), ++unanswered;
    if (i < live) redis.append({"SET", "rl:live:" + number, "1", "EX", "86400"}), ++unanswered;
    if (unanswered >= 1000) settle();
    if (interrupted) throw std::runtime_error("interrupted");
  }
  settle();
  return keys_are_left(live);
}

/// Only the leaked keys have this prefix, so that those who do not look at the TTL can be compared.
constexpr const char* kLeakedPrefix = "rl:leaked:*";

Method moonshift(const std::string& program, const Server& server, const std::string& engine,
                 const std::string& only) {
  const std::string pattern = only == "all" ? kLeakedPrefix : "rl:*";
  return {"moonshift, " + engine + " engine",
          {program, "run", "ratelimit/purge", "--url", "unix://" + server.socket(), "--engine",
           engine, "--param", "pattern=" + pattern, "--param", "only=" + only, "--json"}};
}

Method plain(const Server& server, const std::string& only) {
  return {"plain C++ pipeline",
          {std::filesystem::read_symlink("/proc/self/exe"), "plain", server.socket(), only}};
}

/// Who finds out itself which keys have no TTL.
std::vector<Method> careful_methods(const std::string& program, const Server& server) {
  return {plain(server, "leaked"), moonshift(program, server, "local", "leaked"),
          moonshift(program, server, "server", "leaked")};
}

/// Who is told which ones leaked by their prefix.
std::vector<Method> methods(const std::string& program, const Server& server) {
  const std::string redis_cli = "redis-cli -s " + server.socket();
  return {
      plain(server, "all"),
      moonshift(program, server, "local", "all"),
      moonshift(program, server, "server", "all"),
      {"redis-cli | xargs",
       {"sh", "-c",
        redis_cli + " --scan --pattern 'rl:leaked:*' | xargs " + redis_cli + " unlink"}},
      {"KEYS + DEL by EVAL",
       {"sh", "-c",
        redis_cli + " eval \"local keys = redis.call('keys', 'rl:leaked:*')"
                    " for _, key in ipairs(keys) do redis.call('del', key) end return #keys\" 0"}},
  };
}

/// Removes the keys that match, all or only those without a TTL, with what Redis and hiredis allow
/// at best: as soon as a page of keys is there, the next is asked for, and nothing waits for
/// anything else.
void purge_pass(Redis& redis, std::string_view pattern, bool leaked_only) {
  enum class Kind { kScan, kTtl, kRemove };
  struct Pending {
    Kind kind;
    std::string key;
  };
  std::deque<Pending> pending;
  const auto scan = [&](std::string_view cursor) {
    redis.append({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", "string"});
    pending.push_back({Kind::kScan, {}});
  };

  scan("0");
  while (!pending.empty()) {
    const Pending request = std::move(pending.front());
    pending.pop_front();
    const Reply reply = redis.next();
    if (request.kind == Kind::kScan) {
      const std::string_view cursor = reply->element[0]->str;
      if (cursor != "0") scan(cursor);
      const redisReply& keys = *reply->element[1];
      for (std::size_t i = 0; i < keys.elements; ++i) {
        const std::string_view key(keys.element[i]->str, keys.element[i]->len);
        redis.append({leaked_only ? "PTTL" : "UNLINK", key});
        pending.push_back({leaked_only ? Kind::kTtl : Kind::kRemove, std::string(key)});
      }
    } else if (request.kind == Kind::kTtl && reply->integer == -1) {
      redis.append({"PEXPIRE", request.key, "-1", "NX"});
      pending.push_back({Kind::kRemove, {}});
    }
  }
}

}  // namespace

void purge_plainly(const std::string& socket, bool leaked_only) {
  Redis redis(socket);
  for (int pass = 0; pass < 2; ++pass) {  // as moonshift verifies: nothing must be left to remove
    purge_pass(redis, leaked_only ? "rl:*" : kLeakedPrefix, leaked_only);
  }
}

void compare_purges(const std::string& program, long keys, int rounds) {
  const Server server;
  const auto all = methods(program, server);
  const auto careful = careful_methods(program, server);
  std::cout << "Purging " << thousands(keys) << " of " << thousands(2 * keys)
            << " rate-limit keys by their prefix, Redis " << server.version()
            << " on a Unix socket; medians of " << rounds << " rounds\n\n";
  const Fill both = [&](Redis& redis) { return fill(redis, keys, keys); };
  print_table(all, measure_all(server, all, both, rounds));
  std::cout << "\nPurging those among them that have no TTL\n\n";
  print_table(careful, measure_all(server, careful, both, rounds));
  std::cout << R"(
The plain pipeline is the limit: the same commands through hiredis, a second look at what is left
included, but without Lua, a budget or any other care. redis-cli and the EVAL do not look again.
PING: what a bystander on a connection of its own waits, one PING being due each millisecond.
)";
}

void check_memory(const std::string& program, long keys) {
  const Server server;
  for (const std::string engine : {"local", "server"}) {
    const Method method = moonshift(program, server, engine, "leaked");
    progress(method.name);
    const Measurement result =
        measure(server, method, [&](Redis& redis) { return fill(redis, keys, 0); });
    progress("");
    std::cout << method.name << ": " << thousands(keys) << " keys purged in "
              << fixed(result.usage.wall.count(), 1, " s") << " with at most "
              << fixed(megabytes(result.usage), 1, " MB") << " resident\n";
    require_little_memory(result.usage);
  }
}

}  // namespace bench
