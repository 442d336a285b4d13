#pragma once

#include <string>

#include "base/time.hpp"
#include "redis/transport.hpp"
#include "redis/url.hpp"

namespace moonshift::redis {

/// A private, real redis-server (or valkey-server) on a Unix socket in a temporary directory. It
/// serves a copy of a snapshot if one is given; the snapshot itself is never written.
///
/// A guardian process ends the server and removes the directory when this object goes, and also
/// when this process is killed. Construct it before any thread is started: it forks.
class ScratchServer {
 public:
  /// `url` is a scratch: URL. Throws RedisError{kNoServer} if no server program is in PATH, or if
  /// it ends before it is ready (its log is quoted); ConfigError if there is no such snapshot.
  ScratchServer(const Url& url, base::SteadyTime deadline);
  ~ScratchServer();
  ScratchServer(const ScratchServer&) = delete;
  ScratchServer& operator=(const ScratchServer&) = delete;

  /// A unix:// URL.
  const Url& url() const { return url_; }

 private:
  void wait_ready(base::SteadyTime deadline);
  void set_append_only(base::SteadyTime deadline);
  std::string last_words() const;

  std::string directory_;
  std::string directives_;  ///< names of those that the URL sets
  Url url_;
  Descriptor guardian_;  ///< closing it tells the guardian to clean up
  int guardian_pid_ = -1;
};

}  // namespace moonshift::redis
