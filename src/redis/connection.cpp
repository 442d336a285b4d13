#include "redis/connection.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "redis/error.hpp"

namespace moonshift::redis {

namespace {

using base::SteadyTime;
using Clock = std::chrono::steady_clock;

/// How often a wait looks at the deadline and at signals.
constexpr auto kTick = std::chrono::milliseconds(100);

/// After a signal, a reply is waited for so long at least: a short answer is on its way.
constexpr auto kSignalGrace = std::chrono::seconds(2);

Transport open_transport(const Url& url, const ConnectionOptions& options) {
  const SteadyTime deadline = std::min(options.deadline, Clock::now() + options.connect_timeout);
  switch (url.scheme) {
    case Url::Scheme::kTcp:
      return Transport::connect(url.hosts.front(), deadline);
    case Url::Scheme::kUnix:
      return Transport::connect(url.path, deadline);
    default:
      throw base::ConfigError(fmt::format(
          "{}: this version connects redis://, unix:// and scratch: only", url.to_string()));
  }
}

void append_number(std::string& output, char kind, std::size_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  output += kind;
  output.append(digits.begin(), end);
  output += "\r\n";
}

/// https://redis.io/docs/latest/develop/reference/protocol-spec: an array of bulk strings.
void append_command(std::string& output, Command command) {
  append_number(output, '*', command.size());
  for (const std::string_view argument : command) {
    append_number(output, '$', argument.size());
    output += argument;
    output += "\r\n";
  }
}

/// So much is written at once, while further commands are still being made: Redis works meanwhile.
constexpr std::size_t kEarlyWrite = 4 * 1024;

struct ReplySlot : ReplyHandler {
  std::optional<Reply> reply;
  void on_reply(Reply came) override { reply = std::move(came); }
};

}  // namespace

Connection::Connection(const Url& url, const ConnectionOptions& options)
    : options_(options),
      transport_(open_transport(url, options)),
      reader_(options.reply_limit, transport_.where()) {
  authenticate(url);
  if (!options_.check_ready) return;
  wait_while_loading();
  select(url.database);
  call({"CLIENT", "SETNAME",
        "moonshift"});  // for CLIENT LIST; an ACL may forbid it, and that is fine
}

void Connection::submit(Command command, ReplyHandler& handler) {
  if (failed_) throw_system_error(EPIPE, where());
  const std::size_t before = output_.size();
  append_command(output_, command);
  const std::size_t bytes = output_.size() - before;
  pending_.push_back({&handler, Clock::now(), bytes, std::string(command.front().substr(0, 15))});
  bytes_in_flight_ += bytes;
  ++totals_.commands;
  if (output_.size() - written_ >= kEarlyWrite) write_early();
}

bool Connection::step(SteadyTime deadline) {
  try {
    return exchange(deadline);
  } catch (...) {
    abandon();
    throw;
  }
}

void Connection::abandon() {
  failed_ = true;
  pending_.clear();
  bytes_in_flight_ = 0;
}

bool Connection::exchange(SteadyTime deadline) {
  write_queued();
  if (pending_.empty()) return false;
  const SteadyTime patience =
      std::min({deadline, pending_.front().submitted + options_.command_timeout});
  const bool unwritten = written_ < output_.size();
  if (!transport_.wait(unwritten, patience)) {
    check_command_timeout();
    return false;
  }
  write_queued();
  return deliver();
}

/// Lets Redis work on what is there while the rest is still being written down.
void Connection::write_early() {
  try {
    write_queued();
  } catch (...) {
    abandon();
    throw;
  }
}

void Connection::write_queued() {
  if (written_ == output_.size()) return;
  if (guard_) guard_();
  const std::size_t count = transport_.write(std::span(output_).subspan(written_));
  written_ += count;
  totals_.sent.count += static_cast<std::int64_t>(count);
  if (count > 0) ++totals_.writes;
  if (written_ == output_.size()) {
    output_.clear();
    written_ = 0;
  }
}

bool Connection::deliver() {
  std::array<char, 64 * 1024> buffer;
  const std::size_t count = transport_.read(buffer);
  totals_.received.count += static_cast<std::int64_t>(count);
  reader_.feed(std::span(buffer).first(count));
  bool delivered = false;
  while (auto reply = reader_.next()) {
    if (pending_.empty()) {
      throw RedisError(RedisError::Kind::kProtocol,
                       fmt::format("{}: a reply came that nobody had asked for", where()));
    }
    const Pending waiting = std::move(pending_.front());
    pending_.pop_front();
    bytes_in_flight_ -= waiting.bytes;
    waiting.handler->on_reply(std::move(*reply));
    delivered = true;
  }
  return delivered;
}

void Connection::check_command_timeout() const {
  const Pending& oldest = pending_.front();
  if (Clock::now() < oldest.submitted + options_.command_timeout) return;
  throw RedisError(RedisError::Kind::kTimedOut,
                   fmt::format("{}: no reply to {} within {}", where(), oldest.verb,
                               base::format_duration(options_.command_timeout)));
}

Reply Connection::call(Command command) {
  ReplySlot slot;
  submit(command, slot);
  const auto begun = Clock::now();
  while (!slot.reply) {
    step(Clock::now() + kTick);
    if (!slot.reply) check_patience(command.front(), begun);
  }
  return std::move(*slot.reply);
}

void Connection::check_patience(std::string_view verb, SteadyTime begun) {
  const auto now = Clock::now();
  if (now >= options_.deadline && now >= begun + kTick) {
    abandon();
    throw RedisError(RedisError::Kind::kTimedOut,
                     fmt::format("{}: no reply to {} when the time was up", where(), verb));
  }
  if (base::Interrupt::signal() != 0 && now >= begun + kSignalGrace) {
    abandon();
    throw base::Aborted(base::Aborted::Reason::kSignal,
                        fmt::format("{}: interrupted while it gave no reply to {}", where(), verb));
  }
}

Reply Connection::expect(std::initializer_list<std::string_view> command) {
  Reply reply = call(command);
  if (reply.is_error()) throw_error_reply(reply.text, where());
  return reply;
}

base::UnixTime Connection::read_time() {
  const Reply reply = expect({"TIME"});
  const auto part = [&](std::size_t i) { return std::stoll(reply.elements.at(i).text); };
  return base::UnixTime{std::chrono::milliseconds{part(0) * 1000 + part(1) / 1000}};
}

void Connection::authenticate(const Url& url) {
  if (url.password.empty()) return;
  const std::string& password = url.password.reveal();
  if (url.user.empty()) {
    expect({"AUTH", password});
  } else {
    expect({"AUTH", url.user, password});
  }
}

void Connection::wait_while_loading() {
  const SteadyTime until = std::min(options_.deadline, Clock::now() + options_.loading_timeout);
  for (bool told = false;; told = true) {
    const Reply reply = call({"PING"});
    // A server that cannot save can still be looked at: that is how one learns why.
    if (!reply.is_error() || kind_of(reply.text) == RedisError::Kind::kPersistence) return;
    if (reply.text.starts_with("NOPERM")) return;  // it answers, though not to PING
    const bool loading = kind_of(reply.text) == RedisError::Kind::kLoading;
    if (!loading || Clock::now() >= until) throw_error_reply(reply.text, where());
    if (base::Interrupt::signal() != 0) {
      throw base::Aborted(base::Aborted::Reason::kSignal, "interrupted while Redis was loading");
    }
    if (!told) base::log_info("{}: is loading its dataset; waiting", where());
    transport_.wait(false, Clock::now() + std::chrono::milliseconds(50));
  }
}

void Connection::select(int database) {
  if (database == 0) return;
  const Reply reply = call({"SELECT", std::to_string(database)});
  if (!reply.is_error()) return;
  if (reply.text.find("out of range") != std::string::npos) {
    throw base::ConfigError(fmt::format(
        "{}: there is no database {}: CONFIG GET databases tells how many", where(), database));
  }
  throw_error_reply(reply.text, where());
}

}  // namespace moonshift::redis
