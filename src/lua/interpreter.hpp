#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lua/redis_library.hpp"
#include "lua/state.hpp"
#include "redis/reply.hpp"

namespace moonshift::lua {

/// Runs plain scripts one after the other, each as EVAL would (redis src/eval.c): the same globals,
/// the same reply, the same error. No script sees what an earlier one did.
///
/// Used by one thread.
class Interpreter {
 public:
  struct Script {
    std::string text;  ///< without a `#!` line, but with its line feed
    std::string sha;   ///< of the whole; error messages name it
    std::vector<std::string> keys, arguments;
  };

  struct Result {
    enum class How {
      kEnded,       ///< by itself, also with an error
      kStopped,     ///< by the deadline or a signal
      kOutOfMemory  ///< it wanted more than the limit
    };

    How how = How::kEnded;
    bool compiled = true;
    redis::Reply reply;  ///< as a RESP2 client gets it
  };

  /// `commands` must outlive the interpreter.
  Interpreter(base::Bytes memory, ScriptCommands& commands);
  ~Interpreter();

  /// What `commands` throws ends the script and is thrown on.
  Result run(const Script& script, base::SteadyTime deadline);

 private:
  struct World;

  base::Bytes memory_;
  ScriptCommands& commands_;
  std::unique_ptr<World> world_;
};

}  // namespace moonshift::lua
