#include "redis/reachable.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "redis/connection.hpp"
#include "redis/error.hpp"

namespace moonshift::redis {

namespace {

using namespace std::chrono_literals;

bool may_come_back(RedisError::Kind kind) {
  using Kind = RedisError::Kind;
  for (const Kind passing : {Kind::kUnresolved, Kind::kRefused, Kind::kTimedOut, Kind::kClosed,
                             Kind::kLoading, Kind::kBusy}) {
    if (kind == passing) return true;
  }
  return false;
}

}  // namespace

bool is_reachable(const Url& url) {
  if (url.scheme == Url::Scheme::kScratch) return true;
  ConnectionOptions options;
  options.connect_timeout = options.command_timeout = 5s;
  options.loading_timeout = 0s;
  try {
    const Connection connection(url, options);
    return true;
  } catch (const RedisError& error) {
    base::log_debug("{}", error.what());
    return !may_come_back(error.kind());
  } catch (const base::ConfigError& error) {
    base::log_debug("{}", error.what());
    return true;
  }
}

}  // namespace moonshift::redis
