#include "task/evaluator.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/sha1.hpp"
#include "redis/error.hpp"
#include "redis/script_kill.hpp"
#include "task/shebang.hpp"

namespace moonshift::task {

namespace {

using redis::Reply;
using Clock = std::chrono::steady_clock;

constexpr const char* kInvalidShebang = "ERR Invalid script shebang";

/// How Redis begins to say that a script does not compile.
constexpr std::string_view kNoScript = "ERR Error compiling script";

/// How often a script that runs inside Redis too long is asked to end.
constexpr auto kPressure = std::chrono::milliseconds(500);

/// How long SCRIPT KILL may take to be heard: Redis listens only after busy-reply-threshold, 5 s
/// unless it is configured.
constexpr auto kMostPressure = std::chrono::seconds(30);

/// Whether Redis would run a script with this first line now: its flags, and what they ask for,
/// such as memory or being a master. Redis itself is asked, with a script that does nothing.
std::optional<Reply> refusal_of(const Shebang& shebang, redis::Connection& connection) {
  Reply reply = connection.call({"EVAL", shebang.line + "\nreturn 0", "0"});
  if (!reply.is_error() || reply.text.starts_with("NOPERM")) return std::nullopt;
  return reply;
}

}  // namespace

LocalEvaluator::LocalEvaluator(const redis::Endpoint& endpoint, const Options& options)
    : connection_(endpoint.connect()),
      table_(redis::CommandTable::read(connection_)),
      options_(options),
      commands_(connection_, table_, redis::Product::read(connection_), endpoint.url().database,
                options.commands),
      interpreter_(options.memory, commands_) {}

Evaluator::Result LocalEvaluator::evaluate(const Evaluation& evaluation) {
  const base::SteadyTime deadline =
      options_.timeout ? Clock::now() + *options_.timeout : base::kNever;
  connection_.set_deadline(deadline);
  const auto shebang = Shebang::of(evaluation.script);
  std::string_view body = evaluation.script;
  if (shebang) {
    body.remove_prefix(shebang->line.size());
    if (body.empty() || !shebang->is_safe()) return {Reply::error(kInvalidShebang)};
    if (auto refusal = refusal_of(*shebang, connection_)) return {std::move(*refusal)};
  }
  commands_.begin_script(shebang && shebang->no_writes, deadline);
  auto result = interpreter_.run(
      {std::string(body), base::sha1_hex(evaluation.script), evaluation.keys, evaluation.arguments},
      deadline);
  connection_.set_deadline(base::kNever);
  commands_.end_script();
  return {std::move(result.reply), result.how == lua::Interpreter::Result::How::kStopped,
          result.compiled};
}

ServerEvaluator::ServerEvaluator(const redis::Endpoint& endpoint, base::Duration timeout)
    : endpoint_(endpoint), connection_(endpoint.connect()), timeout_(timeout) {
  connection_.set_command_timeout(timeout +
                                  2 * kMostPressure);  // a reply takes as long as a script
}

Evaluator::Result ServerEvaluator::evaluate(const Evaluation& evaluation) {
  const auto shebang = Shebang::of(evaluation.script);
  if (shebang && !shebang->is_safe()) return {Reply::error(kInvalidShebang)};
  // Asked beforehand: a script may itself return an error that says NOSCRIPT, and must not run
  // twice.
  const std::string sha = base::sha1_hex(evaluation.script);
  const Reply known = connection_.call({"SCRIPT", "EXISTS", sha});
  const bool cached = known.elements.size() == 1 && known.elements[0].integer == 1;
  const bool stopped =
      cached ? run("EVALSHA", sha, evaluation) : run("EVAL", evaluation.script, evaluation);
  const bool compiled = !reply_->is_error() || !reply_->text.starts_with(kNoScript);
  return {std::move(*reply_), stopped, compiled};
}

/// Whether the script had to be ended.
bool ServerEvaluator::run(std::string_view verb, std::string_view script,
                          const Evaluation& evaluation) {
  const std::string count = std::to_string(evaluation.keys.size());
  std::vector<std::string_view> command{verb, script, count};
  command.insert(command.end(), evaluation.keys.begin(), evaluation.keys.end());
  command.insert(command.end(), evaluation.arguments.begin(), evaluation.arguments.end());
  reply_.reset();
  connection_.submit(command, *this);
  return !wait(Clock::now() + timeout_) && end_script();
}

/// Whether the reply came.
bool ServerEvaluator::wait(base::SteadyTime until) {
  while (!reply_ && Clock::now() < until && base::Interrupt::signal() == 0)
    connection_.step(std::min(until, Clock::now() + std::chrono::milliseconds(100)));
  return reply_.has_value();
}

/// True when it has ended.
bool ServerEvaluator::end_script() {
  const auto limit = Clock::now() + kMostPressure;
  while (Clock::now() < limit) {
    if (redis::kill_script(endpoint_) == redis::KillAnswer::kUnkillable) {
      connection_.abandon();
      throw base::Aborted(
          base::Aborted::Reason::kDeadline,
          fmt::format("{}: the script takes too long and has written, so Redis does not let it be "
                      "ended by SCRIPT KILL: Redis stays blocked until it ends by itself (SHUTDOWN "
                      "NOSAVE would lose data)",
                      connection_.where()));
    }
    const auto pause = Clock::now() + kPressure;
    while (!reply_ && Clock::now() < pause) connection_.step(pause);
    if (reply_) return true;
  }
  connection_.abandon();
  throw redis::RedisError(
      redis::RedisError::Kind::kTimedOut,
      fmt::format("{}: the script takes too long, and Redis does not answer SCRIPT KILL",
                  connection_.where()));
}

}  // namespace moonshift::task
