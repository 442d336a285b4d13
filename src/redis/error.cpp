#include "redis/error.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace moonshift::redis {

namespace {

using Kind = RedisError::Kind;

struct Code {
  std::string_view prefix;
  Kind kind;
};

constexpr std::array kCodes{
    Code{"NOAUTH", Kind::kAuthRequired},
    Code{"WRONGPASS", Kind::kAuthRejected},
    Code{"ERR invalid password", Kind::kAuthRejected},
    Code{"ERR AUTH", Kind::kAuthRejected},
    Code{"ERR Client sent AUTH", Kind::kAuthRejected},
    Code{"LOADING", Kind::kLoading},
    Code{"READONLY", Kind::kReadOnly},
    Code{"OOM", Kind::kOutOfMemory},
    Code{"MISCONF", Kind::kPersistence},
    Code{"BUSY ", Kind::kBusy},
};

std::string_view hint(Kind kind) {
  switch (kind) {
    case Kind::kAuthRequired:
      return "write user:password@ before the host in the URL (:password@ for a password alone)";
    case Kind::kAuthRejected:
      return "check the user and password in the URL";
    case Kind::kLoading:
      return "wait until it is loaded, or give more --timeout";
    case Kind::kReadOnly:
      return "this is a replica: give the URL of its master";
    case Kind::kPersistence:
      return "Redis cannot save its dataset: see its log and INFO persistence";
    case Kind::kBusy:
      return "a script blocks it: SCRIPT KILL ends one that has not written";
    default:
      return "";
  }
}

}  // namespace

Kind kind_of(std::string_view error_reply) {
  for (const Code& code : kCodes) {
    if (error_reply.starts_with(code.prefix)) return code.kind;
  }
  return Kind::kServer;
}

bool concerns_whole_server(Kind kind) {
  return kind != Kind::kServer && kind != Kind::kOutOfMemory;
}

void throw_system_error(int error_number, const std::string& where) {
  switch (error_number) {
    case ECONNREFUSED:
    case ENOENT:
      throw RedisError(Kind::kRefused,
                       fmt::format("{}: connection refused: is Redis running there?", where));
    case ETIMEDOUT:
      throw RedisError(Kind::kTimedOut, fmt::format("{}: timed out", where));
    case ECONNRESET:
    case EPIPE:
      throw RedisError(Kind::kClosed, fmt::format("{}: the server closed the connection", where));
    default:
      throw RedisError(Kind::kRefused, fmt::format("{}: {}", where, std::strerror(error_number)));
  }
}

void throw_error_reply(std::string_view error_reply, const std::string& where) {
  const Kind kind = kind_of(error_reply);
  const std::string_view advice = hint(kind);
  if (!advice.empty() && error_reply.ends_with('.')) error_reply.remove_suffix(1);
  throw RedisError(
      kind, fmt::format("{}: {}{}{}", where, error_reply, advice.empty() ? "" : ": ", advice));
}

}  // namespace moonshift::redis
