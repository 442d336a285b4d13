#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "base/duration.hpp"
#include "base/time.hpp"
#include "redis/endpoint.hpp"

namespace moonshift::task {

/// The right to run a job, of which there is one: the key `moonshift:lease:<job>` in the Redis that
/// the job works on, with a token and an expiry. While it lives, a thread with a connection of its
/// own renews it; at the end the key goes, if it is still ours.
///
/// Whoever holds one asks it before every batch. It counts as lost as soon as it may have expired
/// in Redis, by a clock that goes on while this process is stopped or the host sleeps; and once it
/// is lost it stays so.
class Lease {
 public:
  /// Who has it, and for how long yet.
  struct Holder {
    std::string name;
    base::Duration left{0};
  };

  /// Takes the lease, or tells who holds it. Above maxmemory too. `endpoint` must outlive it.
  /// Throws RedisError.
  static std::variant<std::unique_ptr<Lease>, Holder> take(const redis::Endpoint& endpoint,
                                                           const std::string& job,
                                                           base::Duration lasts);

  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  /// From any thread.
  bool held() const;

  /// Throws Aborted if it is lost.
  void check() const;

 private:
  Lease(const redis::Endpoint& endpoint, std::string key, std::string token, base::Duration lasts,
        base::Duration expires);

  void keep(std::stop_token stop);
  void renew();
  void release();

  const redis::Endpoint& endpoint_;
  std::string key_, token_;
  base::Duration lasts_;
  std::optional<redis::Connection> connection_;  ///< nothing: to be made (anew)
  /// When it may be gone, in microseconds since the host was started.
  std::atomic<base::Duration::rep> expires_;
  mutable std::atomic<bool> lost_ = false;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses all of the above
};

/// Which of a job's scheduled times was run last, and where. A lease keeps runs of the same moment
/// apart; this keeps a host whose run comes later, by its jitter or its clock, from doing again
/// what another one has done. It is the key `moonshift:ran:<job>`, read and written by whoever
/// has the lease.
struct Turn {
  base::UnixTime scheduled{};
  std::string host;
};

/// Nothing if no run is known. Throws RedisError.
std::optional<Turn> read_turn(const redis::Endpoint& endpoint, const std::string& job);

/// Redis forgets it after `keep`. Above maxmemory too. Throws RedisError.
void write_turn(const redis::Endpoint& endpoint, const std::string& job, const Turn& turn,
                base::Duration keep);

}  // namespace moonshift::task
