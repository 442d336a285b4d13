#include "task/evaluator.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "redis/error.hpp"
#include "redis/script_kill.hpp"
#include "redis/sha1.hpp"
#include "task/shebang.hpp"

namespace moonshift::task {

namespace {

using redis::Reply;
using Clock = std::chrono::steady_clock;

constexpr const char* kInvalidShebang = "ERR Invalid script shebang";

/// How Redis begins to say that a script does not compile.
constexpr std::string_view kCompileError = "ERR Error compiling script";

/// How often a script that runs inside Redis too long is asked to end.
constexpr auto kKillInterval = std::chrono::milliseconds(500);

/// How long SCRIPT KILL may take to be heard: Redis listens only after busy-reply-threshold, 5 s
/// unless it is configured.
constexpr auto kKillPatience = std::chrono::seconds(30);

/// In the answer of a script that SCRIPT KILL ended.
constexpr std::string_view kKilled = "Script killed by user with SCRIPT KILL";

/// Whether Redis would run a script with this first line now: its flags, and what they ask for,
/// such as memory or being a master. Redis itself is asked, with a script that does nothing.
std::optional<Reply> refusal_of(const Shebang& shebang, redis::Connection& connection) {
  Reply reply = connection.call({"EVAL", shebang.line + "\nreturn 0", "0"});
  if (!reply.is_error() || reply.text.starts_with("NOPERM")) return std::nullopt;
  return reply;
}

}  // namespace

LocalEvaluator::Session::Session(const redis::Endpoint& endpoint, const Options& options)
    : connection(endpoint.connect()),
      table(redis::CommandTable::read(connection)),
      commands(connection, table, redis::Product::read(connection), endpoint.url().database,
               options.commands),
      interpreter(options.memory, commands) {}

LocalEvaluator::LocalEvaluator(const redis::Endpoint& endpoint, const Options& options)
    : endpoint_(endpoint),
      options_(options),
      session_(std::make_unique<Session>(endpoint_, options_)) {}

Evaluator::Result LocalEvaluator::evaluate(const Evaluation& evaluation) {
  if (!session_) session_ = std::make_unique<Session>(endpoint_, options_);
  const base::SteadyTime deadline =
      options_.timeout ? Clock::now() + *options_.timeout : base::kNever;
  const auto cut_off = [&](std::string_view why, const char* where) -> Result {
    session_.reset();
    return {Reply::error(fmt::format("ERR Script stopped{}: {}", why, where)), true};
  };
  try {
    return run(evaluation, deadline);
  } catch (const base::Aborted& aborted) {
    const bool late = aborted.reason() == base::Aborted::Reason::kDeadline;
    return cut_off(late ? ", its time is up" : " by a signal", aborted.what());
  } catch (const redis::RedisError& error) {
    if (error.kind() != redis::RedisError::Kind::kTimedOut || Clock::now() < deadline) throw;
    return cut_off(", its time is up", error.what());
  }
}

Evaluator::Result LocalEvaluator::run(const Evaluation& evaluation, base::SteadyTime deadline) {
  auto& [connection, table, commands, interpreter] = *session_;
  connection.set_deadline(deadline);
  const auto shebang = Shebang::of(evaluation.script);
  std::string_view body = evaluation.script;
  if (shebang) {
    body.remove_prefix(shebang->size);
    if (body.empty() || !shebang->is_safe()) return {Reply::error(kInvalidShebang)};
    if (auto refusal = refusal_of(*shebang, connection)) return {std::move(*refusal)};
  }
  commands.begin_script(shebang && shebang->no_writes, deadline);
  auto result = interpreter.run({std::string(body), redis::sha1_hex(evaluation.script),
                                 evaluation.keys, evaluation.arguments},
                                deadline);
  connection.set_deadline(base::kNever);
  commands.end_script();
  return {std::move(result.reply), result.how == lua::Interpreter::Result::How::kStopped,
          result.compiled};
}

ServerEvaluator::ServerEvaluator(const redis::Endpoint& endpoint, base::Duration timeout)
    : endpoint_(endpoint), connection_(endpoint.connect()), timeout_(timeout) {
  // A reply takes as long as a script.
  connection_.set_command_timeout(timeout + 2 * kKillPatience);
}

Evaluator::Result ServerEvaluator::evaluate(const Evaluation& evaluation) {
  const auto shebang = Shebang::of(evaluation.script);
  if (shebang && !shebang->is_safe()) return {Reply::error(kInvalidShebang)};
  // Asked beforehand: a script may itself return an error that says NOSCRIPT, and must not run
  // twice.
  const std::string sha = redis::sha1_hex(evaluation.script);
  const Reply known = connection_.call({"SCRIPT", "EXISTS", sha});
  const bool cached = known.elements.size() == 1 && known.elements[0].integer == 1;
  const bool stopped =
      cached ? run("EVALSHA", sha, evaluation) : run("EVAL", evaluation.script, evaluation);
  const bool compiled = !reply_->is_error() || !reply_->text.starts_with(kCompileError);
  return {std::move(*reply_), stopped, compiled};
}

/// Whether the script had to be ended, and was.
bool ServerEvaluator::run(std::string_view verb, std::string_view script,
                          const Evaluation& evaluation) {
  const std::string count = std::to_string(evaluation.keys.size());
  std::vector<std::string_view> command{verb, script, count};
  command.insert(command.end(), evaluation.keys.begin(), evaluation.keys.end());
  command.insert(command.end(), evaluation.arguments.begin(), evaluation.arguments.end());
  reply_.reset();
  connection_.submit(command, *this);
  if (wait(Clock::now() + timeout_)) return false;
  end_script();
  return reply_->is_error() && reply_->text.find(kKilled) != std::string::npos;
}

/// Whether the reply came.
bool ServerEvaluator::wait(base::SteadyTime until) {
  while (!reply_ && Clock::now() < until && base::Interrupt::signal() == 0)
    connection_.step(std::min(until, Clock::now() + std::chrono::milliseconds(100)));
  return reply_.has_value();
}

/// Also after a signal.
bool ServerEvaluator::wait_on(base::Duration duration) {
  const auto until = Clock::now() + duration;
  while (!reply_ && Clock::now() < until) connection_.step(until);
  return reply_.has_value();
}

/// Returns when the reply is there.
void ServerEvaluator::end_script() {
  const auto limit = Clock::now() + kKillPatience;
  while (Clock::now() < limit) {
    // A script of somebody else's is not ours to end: where one runs, we are answered BUSY.
    if (redis::is_busy(endpoint_).value_or(false) && !wait_on(redis::kBusyReplyWait)) kill_script();
    if (wait_on(kKillInterval)) return;
  }
  connection_.abandon();
  throw redis::RedisError(
      redis::RedisError::Kind::kTimedOut,
      fmt::format("{}: the script takes too long, and Redis does not answer SCRIPT KILL",
                  connection_.where()));
}

void ServerEvaluator::kill_script() {
  const auto [answer, text] = redis::kill_script(endpoint_);
  const bool unkillable = answer == redis::KillAnswer::kUnkillable;
  if (!unkillable && answer != redis::KillAnswer::kRefused) return;
  connection_.abandon();
  throw base::Aborted(
      base::Aborted::Reason::kDeadline,
      fmt::format("{}: the script takes too long and {}: Redis stays blocked until it ends by "
                  "itself{}",
                  connection_.where(),
                  unkillable ? "has written, so Redis does not let it be ended by SCRIPT KILL"
                             : "cannot be ended: SCRIPT KILL: " + text,
                  unkillable ? " (SHUTDOWN NOSAVE would lose data)" : ""));
}

}  // namespace moonshift::task
