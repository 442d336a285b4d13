#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moonshift::redis {

/// A password. It has no way into a stream or a format string; whoever needs it says so.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  bool empty() const { return text_.empty(); }
  const std::string& reveal() const { return text_; }

 private:
  std::string text_;
};

struct Address {
  std::string host;
  int port = 6379;
};

/// Where a Redis is and who we are there:
///
///     redis://[user[:password]@]host[:port][/database]       rediss:// the same over TLS
///     unix://[user[:password]@]/path/to.sock[?db=database]
///     redis+sentinel://[user:password@]host[:port],.../master[/database]
///     redis+cluster://[user:password@]host[:port],...
///     scratch:[dump.rdb][?directive=value&...]                a private server; redis.conf
///     directives
///
/// `%xx` escapes stand for bytes in user, password and path.
struct Url {
  enum class Scheme { kTcp, kTls, kUnix, kSentinel, kCluster, kScratch };
  using Options = std::vector<std::pair<std::string, std::string>>;

  Scheme scheme = Scheme::kTcp;
  std::vector<Address> hosts;
  std::string path;  ///< the socket, or the snapshot of a scratch server
  std::string user;
  Secret password;
  int database = 0;
  std::string master;
  Options options;  ///< redis.conf directives of a scratch server

  /// The URL for people: the password is `***`.
  std::string to_string() const;

  /// `host:port` or the socket's path, as it stands at the front of error messages.
  std::string where() const;
};

/// Throws ConfigError that says what is wrong and never shows the password.
Url parse_url(std::string_view text);

}  // namespace moonshift::redis
