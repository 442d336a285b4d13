#include "task/scripted_connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/parse.hpp"
#include "base/text.hpp"
#include "redis/error.hpp"

namespace moonshift::task {

namespace {

using base::equal_ignoring_case;
using redis::Command;
using redis::Reply;

/// So many keys at a time: well under a millisecond of Redis's time.
constexpr std::string_view kScanCount = "1000";

struct ReplySlot : redis::ReplyHandler {
  Reply reply;
  void on_reply(Reply came) override { reply = std::move(came); }
};

/// How many words follow an option of SORT or XREAD.
std::size_t operands_of(std::string_view option) {
  constexpr std::array<std::string_view, 5> kOne{"BY", "GET", "STORE", "COUNT", "BLOCK"};
  constexpr std::array<std::string_view, 2> kTwo{"LIMIT", "GROUP"};
  const auto is_among = [&](const auto& names) {
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return equal_ignoring_case(name, option); });
  };
  return is_among(kTwo) ? 2 : is_among(kOne) ? 1 : 0;
}

/// Where the option `name` of SORT or XREAD stands, from the word `first` on; 0 if nowhere.
std::size_t find_option(Command command, std::string_view name, std::size_t first) {
  for (std::size_t i = first; i < command.size(); i += 1 + operands_of(command[i])) {
    if (equal_ignoring_case(command[i], "STREAMS")) break;
    if (equal_ignoring_case(command[i], name)) return i;
  }
  return 0;
}

bool is(Command command, std::string_view name) { return equal_ignoring_case(command[0], name); }

bool would_wait_for_stream(Command command) {
  return (is(command, "XREAD") || is(command, "XREADGROUP")) &&
         find_option(command, "BLOCK", 1) != 0;
}

}  // namespace

ScriptedConnection::ScriptedConnection(redis::Connection& connection,
                                       const redis::CommandTable& commands, redis::Product product,
                                       int database, const Options& options)
    : connection_(connection),
      commands_(commands),
      product_(product),
      options_(options),
      home_(database),
      database_(database) {}

void ScriptedConnection::begin_script(bool read_only, base::SteadyTime deadline) {
  read_only_ = read_only;
  deadline_ = deadline;
}

void ScriptedConnection::end_script() {
  speak(lua::Protocol::kResp2);
  if (database_ == home_) return;
  connection_.expect({"SELECT", std::to_string(home_)});
  database_ = home_;
}

Reply ScriptedConnection::call(Command command, lua::Protocol protocol) {
  if (auto refusal = refuse(command)) return std::move(*refusal);
  speak(protocol);
  if (is(command, "SELECT")) return select(command);
  if (is(command, "SORT") || is(command, "SORT_RO")) return sort(command);
  if (is(command, "KEYS") && !options_.raw_keys) return keys(command);
  const auto* info = commands_.find(command);
  const bool is_read = is(command, "XREAD") || is(command, "XREADGROUP");
  const bool waits = is_read ? would_wait_for_stream(command) : info->blocking;
  return waits ? send_without_waiting(command) : send(command);
}

std::optional<Reply> ScriptedConnection::refuse(Command command) const {
  const auto* info = commands_.find(command);
  // Valkey left the other's name out of its messages.
  const std::string_view command_name = product_.valkey ? "command" : "Redis command";
  if (info == nullptr)
    return Reply::error(fmt::format("ERR Unknown {} called from script", command_name));
  if (!info->takes(command.size()))
    return Reply::error(
        fmt::format("ERR Wrong number of args calling {} from script", command_name));
  if (info->noscript) return Reply::error("ERR This Redis command is not allowed from script");
  if (read_only_ && (info->write || info->may_replicate))
    return Reply::error("ERR Write commands are not allowed from read-only scripts.");
  if (would_wait_for_stream(command) && !may_wait()) {
    return Reply::error(
        fmt::format("ERR {} command is not allowed with BLOCK option from scripts", command[0]));
  }
  return std::nullopt;
}

/// Since BLPOP and its like are allowed in scripts, where they do not wait, XREAD BLOCK is, too.
bool ScriptedConnection::may_wait() const {
  const std::string_view blocking[] = {"BLPOP", "key", "0"};
  const auto* info = commands_.find(blocking);
  return info != nullptr && !info->noscript;
}

Reply ScriptedConnection::send(Command command) { return as_in_script(connection_.call(command)); }

/// In a transaction, as in a script, a command that would wait does not.
Reply ScriptedConnection::send_without_waiting(Command command) {
  ReplySlot queued, exec;
  const std::string_view end[] = {"EXEC"};
  // Without MULTI the command would be executed at once, and wait.
  if (Reply multi = connection_.call({"MULTI"}); multi.is_error())
    return as_in_script(std::move(multi));
  connection_.submit(command, queued);
  exec.reply = connection_.call(Command(end));
  if (queued.reply.is_error()) return as_in_script(std::move(queued.reply));
  if (exec.reply.elements.size() != 1) return as_in_script(std::move(exec.reply));
  return as_in_script(std::move(exec.reply.elements.front()));
}

Reply ScriptedConnection::select(Command command) {
  Reply reply = send(command);
  if (!reply.is_error()) database_ = base::parse_number<int>(command[1]).value_or(database_);
  return reply;
}

/// Inside a script, SORT of a set without an order is alphabetical, so that replicas would agree
/// (redis src/sort.c, sortCommandGeneric).
Reply ScriptedConnection::sort(Command command) {
  const std::size_t by = find_option(command, "BY", 2);
  const bool unsorted =
      by != 0 && by + 1 < command.size() && command[by + 1].find('*') == std::string_view::npos;
  if (!unsorted || connection_.call({"TYPE", command[1]}).text != "set") return send(command);
  std::vector<std::string_view> sorted(command.begin(), command.end());
  sorted.erase(sorted.begin() + static_cast<std::ptrdiff_t>(by),
               sorted.begin() + static_cast<std::ptrdiff_t>(by) + 2);
  sorted.push_back("ALPHA");
  return send(sorted);
}

Reply ScriptedConnection::keys(Command command) {
  Reply all{Reply::Type::kArray, 0, "", {}};
  std::unordered_set<std::string> seen;
  std::size_t bytes = 0;
  std::string cursor = "0";
  do {
    Reply page = connection_.call({"SCAN", cursor, "MATCH", command[1], "COUNT", kScanCount});
    if (page.text.starts_with("NOPERM")) return send(command);
    if (page.is_error() || page.elements.size() != 2) return as_in_script(std::move(page));
    cursor = page.elements[0].text;
    for (Reply& key : page.elements[1].elements) {
      if (!seen.insert(key.text).second) continue;
      bytes += sizeof(Reply) + key.text.size();
      all.elements.push_back(std::move(key));
    }
    // Thrown, for a script that catches errors must not take what there is for all.
    const bool signalled = base::Interrupt::signal() != 0;
    if (signalled || std::chrono::steady_clock::now() >= deadline_) {
      throw base::Aborted(
          signalled ? base::Aborted::Reason::kSignal : base::Aborted::Reason::kDeadline,
          fmt::format("{}: KEYS was under way", connection_.where()));
    }
    const base::Bytes limit = connection_.options().reply_limit;
    if (bytes > static_cast<std::size_t>(limit.count)) {
      throw redis::RedisError(redis::RedisError::Kind::kProtocol,
                              fmt::format("{}: the reply of KEYS is larger than {}",
                                          connection_.where(), base::describe_bytes(limit)));
    }
  } while (cursor != "0");
  if (!std::exchange(told_soft_keys_, true)) {
    base::log_warning(
        "KEYS {} was answered by SCAN, so that Redis need not stop for it: the same keys, in "
        "another order. --raw-keys sends KEYS itself",
        base::printable(command[1], 60));
  }
  return all;
}

/// What the user may not do is told in other words inside a script (redis src/script.c,
/// scriptVerifyACL).
Reply ScriptedConnection::as_in_script(Reply reply) const {
  if (!reply.is_error()) return reply;
  const auto has_code = [&](std::string_view code) { return reply.text.starts_with(code); };
  if (has_code("MOVED ") || has_code("ASK ") || has_code("CROSSSLOT "))
    return Reply::error("ERR Script attempted to access a non local key in a cluster node");
  if (has_code("CLUSTERDOWN ")) {
    return Reply::error("ERR Script attempted to execute a command while the cluster is down");
  }
  constexpr std::string_view kCode = "NOPERM ";
  if (!has_code(kCode)) return reply;
  if (product_.version >= redis::Version{7, 2, 0})
    return Reply::error("NOPERM ACL failure in script: " + reply.text.substr(kCode.size()));
  const auto speaks_of = [&](std::string_view what) {
    return reply.text.find(what) != std::string::npos;
  };
  return Reply::error(fmt::format(
      "ERR The user executing the script can't {}",
      speaks_of("keys")       ? "access at least one of the keys mentioned in the command arguments"
      : speaks_of("channels") ? "publish to the channel mentioned in the command"
                              : "run this command or subcommand"));
}

std::optional<bool> ScriptedConnection::may_run(Command command) {
  const auto* info = commands_.find(command);
  if (info == nullptr) return std::nullopt;
  const std::string user = connection_.call({"ACL", "WHOAMI"}).text;
  std::vector<std::string_view> question{"ACL", "DRYRUN", user};
  question.insert(question.end(), command.begin(), command.end());
  // DRYRUN wants the number of arguments to be right, which a script need not know.
  for (auto words = static_cast<std::int64_t>(command.size()); words < std::abs(info->arity);
       ++words)
    question.push_back(command.back());
  const Reply reply = connection_.call(question);
  if (reply.is_error()) redis::throw_error_reply(reply.text, connection_.where());
  return reply.type == Reply::Type::kStatus;
}

void ScriptedConnection::log(base::LogLevel level, std::string_view text) {
  base::log(level, base::printable(text));
}

void ScriptedConnection::on_partial_replication() {
  if (std::exchange(told_partial_replication_, true)) return;
  base::log_warning(
      "redis.set_repl: outside of Redis all writes are replicated; --engine server honours it");
}

void ScriptedConnection::speak(lua::Protocol protocol) {
  if (spoken_ == protocol) return;
  connection_.expect({"HELLO", protocol == lua::Protocol::kResp3 ? "3" : "2"});
  spoken_ = protocol;
}

}  // namespace moonshift::task
