#pragma once

#include <deque>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/duration.hpp"
#include "base/time.hpp"
#include "redis/reply.hpp"
#include "redis/reply_reader.hpp"
#include "redis/transport.hpp"
#include "redis/url.hpp"

namespace moonshift::redis {

struct ConnectionOptions {
  base::Duration connect_timeout = std::chrono::seconds(5);
  base::Duration command_timeout = std::chrono::seconds(60);
  /// How long a server that answers LOADING is waited for.
  base::Duration loading_timeout = std::chrono::minutes(10);
  base::SteadyTime deadline = base::kNever;  ///< of everything; also cuts the three above
  base::Bytes reply_limit{256 << 20};        ///< see ReplyReader
  /// Off: the connection is made even to a server that answers BUSY, and only authenticates.
  bool check_ready = true;
};

/// A command and its arguments, as bytes.
using Command = std::span<const std::string_view>;

/// One authenticated, pipelined connection to a standalone Redis. Commands are queued by submit()
/// and written together by step(); replies go to their handlers in the order of the commands.
///
/// Used by one thread. After a RedisError the connection is closed for good and the handlers that
/// still waited are forgotten.
class Connection {
 public:
  /// Connects, authenticates, selects the database and waits while Redis is loading. Throws
  /// RedisError; ConfigError if the server has no such database, or the URL's kind cannot be
  /// connected.
  Connection(const Url& url, const ConnectionOptions& options);

  /// Queues a command. `handler` must live until it got its reply.
  void submit(Command command, ReplyHandler& handler);

  /// Writes what is queued, waits for replies until `deadline` or a signal, and hands over what
  /// came. Returns whether any reply was handed over. Throws RedisError when the connection fails,
  /// or when the oldest command got no reply within its timeout.
  bool step(base::SteadyTime deadline);

  /// Sends one command and waits for its reply; an error reply is returned, not thrown. Earlier
  /// commands get their replies meanwhile. Throws RedisError at the deadline, Aborted after a
  /// signal.
  Reply call(Command command);
  Reply call(std::initializer_list<std::string_view> command) {
    return call(Command(command.begin(), command.size()));
  }

  /// Like call(), but an error reply becomes a RedisError.
  Reply expect(std::initializer_list<std::string_view> command);

  /// The server's clock (https://redis.io/docs/latest/commands/time).
  base::UnixTime read_time();

  // Instead of what its options gave it.

  void set_deadline(base::SteadyTime deadline) { options_.deadline = deadline; }
  void set_command_timeout(base::Duration timeout) { options_.command_timeout = timeout; }

  /// Called right before commands are written. What it throws keeps them back, and closes the
  /// connection.
  void set_guard(std::function<void()> guard) { guard_ = std::move(guard); }

  /// Closes the connection and forgets the handlers that still wait.
  void abandon();

  std::size_t commands_in_flight() const { return pending_.size(); }
  std::size_t bytes_in_flight() const { return bytes_in_flight_; }

  struct Totals {
    std::int64_t commands = 0;
    std::int64_t writes = 0;  ///< how often queued commands went out together
    base::Bytes sent;
    base::Bytes received;
  };
  const Totals& totals() const { return totals_; }

  const std::string& where() const { return transport_.where(); }
  const ConnectionOptions& options() const { return options_; }

 private:
  struct Pending {
    ReplyHandler* handler;
    base::SteadyTime submitted;
    std::size_t bytes;
    std::string verb;  ///< for the message when it times out
  };

  void authenticate(const Url& url);
  void wait_while_loading();
  void select(int database);
  bool exchange(base::SteadyTime deadline);
  void write_queued();
  void write_early();
  bool deliver();
  void check_command_timeout() const;
  void check_patience(std::string_view verb, base::SteadyTime begun);

  ConnectionOptions options_;
  Transport transport_;
  ReplyReader reader_;
  std::function<void()> guard_;
  std::string output_;
  std::size_t written_ = 0;  ///< of output_
  std::deque<Pending> pending_;
  std::size_t bytes_in_flight_ = 0;
  bool failed_ = false;
  Totals totals_;
};

}  // namespace moonshift::redis
