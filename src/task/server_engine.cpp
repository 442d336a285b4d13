#include "task/server_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/error.hpp"
#include "base/log.hpp"
#include "lua/script_error.hpp"
#include "redis/error.hpp"
#include "redis/script_kill.hpp"
#include "task/local_engine.hpp"

namespace moonshift::task {

namespace {

using lua::Value;
using redis::Reply;
using Clock = std::chrono::steady_clock;

/// A batch's arguments are one request: they must fit Redis's query buffer and our memory with
/// ease.
constexpr std::size_t kMostBytes = 1 << 20;

/// What epilogue.lua's take_value() reads: a letter for the type, then the text.
void append_value(std::vector<std::string>& arguments, const Value& value) {
  if (const auto* number = value.as<double>()) {
    arguments.insert(arguments.end(), {"n", fmt::format("{}", *number)});
  } else if (const auto* flag = value.as<bool>()) {
    arguments.insert(arguments.end(), {"b", *flag ? "1" : "0"});
  } else if (const auto* list = value.as<Value::List>()) {
    arguments.insert(arguments.end(), {"l", std::to_string(list->size())});
    for (const Value& element : *list) append_value(arguments, element);
  } else {
    arguments.insert(arguments.end(), {"s", value.text()});
  }
}

std::vector<std::string> encode_parameters(const Value::Record& p) {
  std::vector<std::string> arguments{std::to_string(p.size())};
  for (const auto& [name, value] : p) {
    arguments.push_back(name);
    append_value(arguments, value);
  }
  return arguments;
}

base::Duration measure_round_trip(redis::Connection& connection) {
  base::Duration best = base::Duration::max();
  for (int i = 0; i < 3; ++i) {
    const auto start = Clock::now();
    connection.expect({"PING"});
    best = std::min(best, std::chrono::duration_cast<base::Duration>(Clock::now() - start));
  }
  return best;
}

/// What epilogue.lua answers for each item.
constexpr std::size_t kValues = 3;

ItemResult result_of(std::span<const Reply, kValues> values, const Bundle& bundle) {
  if (values[0].integer == 0) {
    ItemResult result;
    result.kind = ItemResult::Kind::kFailed;
    result.error = bundle.map_error(values[1].text);
    return result;
  }
  const auto value = [](const Reply& reply) {
    return reply.is_nil() ? Value() : Value(reply.text);
  };
  return task::result_of(value(values[1]), value(values[2]));
}

}  // namespace

ServerEngine::ServerEngine(const Script& script, const Value::Record& p,
                           redis::Connection& connection, const redis::Endpoint& endpoint,
                           base::Duration batch_time, ItemListener& listener)
    : connection_(connection),
      endpoint_(endpoint),
      listener_(listener),
      bundle_(script.source(), script.catalog()),
      parameters_(encode_parameters(p)),
      round_trip_(measure_round_trip(connection)),
      pacer_(batch_time) {
  load();
}

void ServerEngine::load() {
  const Reply reply = connection_.call({"SCRIPT", "LOAD", bundle_.text()});
  if (reply.is_error()) fail(reply.text);
  sha_ = reply.text;
}

void ServerEngine::take(Item item) {
  for (const std::string& word : item) waiting_bytes_ += word.size();
  waiting_.push_back(std::move(item));
  finishing_ = false;
  send_when_due();
}

bool ServerEngine::full() const {
  return !running_.empty() && (waiting_.size() >= pacer_.size() || waiting_bytes_ >= kMostBytes);
}

void ServerEngine::finish() {
  finishing_ = true;
  send_when_due();
}

void ServerEngine::send_when_due() {
  if (!running_.empty() || waiting_.empty()) return;
  if (finishing_ || waiting_.size() >= pacer_.size() || waiting_bytes_ >= kMostBytes) send();
}

void ServerEngine::send() {
  const auto count = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), pacer_.size()));
  running_.assign(std::make_move_iterator(waiting_.begin()),
                  std::make_move_iterator(waiting_.begin() + count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  waiting_bytes_ = 0;
  for (const Item& item : waiting_) {
    for (const std::string& word : item) waiting_bytes_ += word.size();
  }
  ++batches_;
  reloaded_ = false;
  submit();
}

void ServerEngine::submit() {
  std::vector<std::string> sizes;
  sizes.reserve(running_.size());
  std::vector<std::string_view> command{"EVALSHA", sha_, "0"};
  command.insert(command.end(), parameters_.begin(), parameters_.end());
  for (const Item& item : running_) {
    command.push_back(sizes.emplace_back(std::to_string(item.size())));
    command.insert(command.end(), item.begin(), item.end());
  }
  sent_ = Clock::now();
  connection_.submit(command, *this);
}

void ServerEngine::on_reply(Reply reply) {
  if (reply.type == Reply::Type::kString) return;  // SCRIPT LOAD, see below
  if (reply.is_error() && reply.text.starts_with("NOSCRIPT") && !std::exchange(reloaded_, true)) {
    // Somebody flushed the script cache, or the server was restarted: load it again, and the batch
    // too.
    base::log_info("{}: the script was gone from its cache; loading it again", connection_.where());
    connection_.submit(std::vector<std::string_view>{"SCRIPT", "LOAD", bundle_.text()}, *this);
    submit();
    return;
  }
  if (reply.is_error()) fail(reply.text);
  const auto taken = std::chrono::duration_cast<base::Duration>(Clock::now() - sent_);
  pacer_.observe(running_.size(), std::max(base::Duration(1), taken - round_trip_));
  hand_over(reply);
  send_when_due();
}

void ServerEngine::hand_over(const Reply& results) {
  const std::vector<Item> items = std::exchange(running_, {});
  if (results.elements.size() != items.size() * kValues) {
    throw lua::ScriptError("the server engine got an answer of another length");
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::span<const Reply, kValues> values(&results.elements[i * kValues], kValues);
    listener_.on_result(items[i], result_of(values, bundle_));
  }
}

void ServerEngine::fail(const std::string& error) {
  if (redis::concerns_whole_server(redis::kind_of(error))) {
    redis::throw_error_reply(error, connection_.where());
  }
  if (error.find("SCRIPT KILL") != std::string::npos) {
    ItemResult interrupted;
    interrupted.kind = ItemResult::Kind::kInterrupted;
    for (const Item& item : std::exchange(running_, {})) listener_.on_result(item, interrupted);
    throw base::Aborted(base::Aborted::Reason::kDeadline,
                        "the script took too long inside Redis and was ended by SCRIPT KILL");
  }
  throw lua::ScriptError(bundle_.map_error(error));
}

void ServerEngine::press() { kill_script(); }

void ServerEngine::give_up() {
  if (kill_script()) return;  // it is there, and busy with a script that cannot be killed yet
  throw redis::RedisError(
      redis::RedisError::Kind::kTimedOut,
      fmt::format("{}: no reply; {} items were under way, and running it again goes on with them",
                  connection_.where(), running_.size()));
}

bool ServerEngine::kill_script() {
  const auto busy = redis::is_busy(endpoint_);
  if (!busy) return false;
  if (!*busy || !still_runs()) return true;
  const auto [answer, text] = redis::kill_script(endpoint_);
  if (answer == redis::KillAnswer::kRefused && !std::exchange(told_unkillable_, true)) {
    base::log_warning("{}: the script cannot be ended by SCRIPT KILL: {}", connection_.where(),
                      text);
  }
  if (answer == redis::KillAnswer::kUnkillable && !std::exchange(told_unkillable_, true)) {
    base::log_warning(
        "{}: the script has written and cannot be ended by SCRIPT KILL; Redis stays blocked until "
        "it ends by itself (SHUTDOWN NOSAVE would lose data)",
        connection_.where());
  }
  return answer != redis::KillAnswer::kNone && answer != redis::KillAnswer::kRefused;
}

/// A busy Redis would have answered our batch by BUSY if it were not our script that it runs.
bool ServerEngine::still_runs() {
  const auto batch = batches_;
  const auto until = Clock::now() + redis::kBusyReplyWait;
  const auto runs = [&] { return !running_.empty() && batches_ == batch; };
  while (runs() && Clock::now() < until) connection_.step(until);
  return runs();
}

}  // namespace moonshift::task
