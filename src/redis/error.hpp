#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace moonshift::redis {

/// Redis cannot be used, or refused a command. `what()` says where (host:port or socket) and, where
/// there is something to do about it, what.
class RedisError : public std::runtime_error {
 public:
  enum class Kind {
    kUnresolved,    ///< the host name has no address
    kRefused,       ///< nobody listens there
    kTimedOut,      ///< no answer in time
    kClosed,        ///< the peer closed the connection
    kAuthRequired,  ///< it wants a password and got none
    kAuthRejected,  ///< it does not take this user and password
    kLoading,       ///< still loading its dataset when the time was up
    kReadOnly,      ///< a replica
    kOutOfMemory,   ///< above maxmemory, and the command may use memory
    kPersistence,   ///< MISCONF: it stopped taking writes because it cannot save
    kBusy,          ///< a script has it blocked
    kProtocol,      ///< what came is no RESP, or more of it than we take
    kServer,        ///< any other error reply
    kNoServer,      ///< scratch: there is no server program to start, or it did not start
  };

  RedisError(Kind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}

  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

/// What an error reply's text stands for, by its first word (redis src/server.c,
/// createSharedObjects).
RedisError::Kind kind_of(std::string_view error_reply);

/// Whether every further command will fail the same way, so that going on with other items is vain.
bool concerns_whole_server(RedisError::Kind kind);

/// Throws the RedisError for a failed system call on the connection to `where`.
[[noreturn]] void throw_system_error(int error_number, const std::string& where);

/// Throws the RedisError for an error reply from `where`, with a hint on what to do.
[[noreturn]] void throw_error_reply(std::string_view error_reply, const std::string& where);

}  // namespace moonshift::redis
