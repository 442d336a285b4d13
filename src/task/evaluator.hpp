#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lua/interpreter.hpp"
#include "redis/endpoint.hpp"
#include "task/scripted_connection.hpp"

namespace moonshift::task {

/// One plain script to run, as EVAL takes it.
struct Evaluation {
  std::string script;
  std::vector<std::string> keys, arguments;
};

/// Runs plain scripts, one at a time.
class Evaluator {
 public:
  struct Result {
    redis::Reply reply;    ///< as a RESP2 client gets it; an error reply if the script failed
    bool stopped = false;  ///< by its time limit or a signal; what it wrote stays
    bool compiled = true;
  };

  virtual ~Evaluator() = default;

  /// Throws RedisError if Redis cannot be asked, Aborted if the script goes on and cannot be ended.
  virtual Result evaluate(const Evaluation& evaluation) = 0;
};

/// In this process. Each command is sent on its own, so others' commands come in between.
class LocalEvaluator : public Evaluator {
 public:
  struct Options {
    ScriptedConnection::Options commands;
    base::Bytes memory{512 << 20};
    std::optional<base::Duration> timeout;  ///< of each script
  };

  /// `endpoint` must outlive it. Throws RedisError.
  LocalEvaluator(const redis::Endpoint& endpoint, const Options& options);

  Result evaluate(const Evaluation& evaluation) override;

 private:
  /// One connection, and all that depends on it.
  struct Session {
    Session(const redis::Endpoint& endpoint, const Options& options);

    redis::Connection connection;
    redis::CommandTable table;
    ScriptedConnection commands;
    lua::Interpreter interpreter;
  };

  Result run(const Evaluation& evaluation, base::SteadyTime deadline);

  const redis::Endpoint& endpoint_;
  Options options_;
  std::unique_ptr<Session> session_;  ///< none after one that was cut off
};

/// Inside Redis, by EVALSHA: nothing comes in between, and nobody else is served meanwhile.
class ServerEvaluator : public Evaluator, private redis::ReplyHandler {
 public:
  /// `endpoint` must outlive it. A script that takes longer than `timeout` is ended by SCRIPT KILL.
  ServerEvaluator(const redis::Endpoint& endpoint, base::Duration timeout);

  Result evaluate(const Evaluation& evaluation) override;

 private:
  void on_reply(redis::Reply reply) override { reply_ = std::move(reply); }
  bool wait(base::SteadyTime until);
  bool wait_on(base::Duration duration);
  void end_script();
  void kill_script();
  bool run(std::string_view verb, std::string_view script, const Evaluation& evaluation);

  const redis::Endpoint& endpoint_;
  redis::Connection connection_;
  base::Duration timeout_;
  std::optional<redis::Reply> reply_;
};

}  // namespace moonshift::task
