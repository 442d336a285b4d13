#include "task/lease.hpp"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <random>

#include "base/error.hpp"
#include "base/host.hpp"
#include "base/log.hpp"
#include "redis/error.hpp"

namespace moonshift::task {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// KEYS[1] lease, ARGV[1] token, ARGV[2] ms. Answers {} if it is ours now, else whose it is.
///
/// Above maxmemory Redis refuses SET in a script, unless the script has written before it (redis
/// src/script.c, scriptVerifyOOM); the job may be what makes room again.
constexpr std::string_view kTake = R"(
local holder = redis.call("GET", KEYS[1])
if holder then return { holder, redis.call("PTTL", KEYS[1]) } end
redis.call("DEL", KEYS[1])
redis.call("SET", KEYS[1], ARGV[1], "NX", "PX", ARGV[2])
return {})";

/// The same arguments. Answers whether it was still ours.
constexpr std::string_view kRenew = R"(
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("PEXPIRE", KEYS[1], ARGV[2]))";

constexpr std::string_view kRelease = R"(
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1]))";

/// KEYS[1] turn, ARGV[1] its text, ARGV[2] ms. See kTake for DEL.
constexpr std::string_view kWriteTurn = R"(
redis.call("DEL", KEYS[1])
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return {})";

/// Unlike the steady clock it goes on while the host sleeps.
base::Duration since_boot() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::seconds(time.tv_sec) +
         std::chrono::duration_cast<base::Duration>(std::chrono::nanoseconds(time.tv_nsec));
}

/// For people, and different for each lease: `web1 pid 4711 5f3a1c0e9d2b`.
std::string make_token() {
  std::random_device random;
  return fmt::format("{} pid {} {:08x}{:08x}", base::host_name(), ::getpid(), random(), random());
}

std::string_view without_random_part(std::string_view token) {
  return token.substr(0, token.rfind(' '));
}

std::string in_milliseconds(base::Duration duration) {
  return std::to_string(duration_cast<milliseconds>(duration).count());
}

void throw_if_error(const redis::Reply& reply, const std::string& where) {
  if (!reply.is_error()) return;
  if (reply.text.find("NOPERM") == std::string::npos) redis::throw_error_reply(reply.text, where);
  throw redis::RedisError(
      redis::RedisError::Kind::kServer,
      fmt::format("{}: {}: the job's lease needs EVAL, GET, SET, DEL, PTTL and PEXPIRE on "
                  "moonshift:*; lease = false in the job does without",
                  where, reply.text));
}

/// A renewal that gets no answer must leave time for another one.
redis::Connection connect(const redis::Endpoint& endpoint, base::Duration lasts) {
  redis::ConnectionOptions options = endpoint.options();
  options.deadline = base::kNever;  // the run's own may pass while its last items end
  options.connect_timeout = std::min(options.connect_timeout, lasts / 3);
  options.command_timeout = std::min(options.command_timeout, lasts / 3);
  options.loading_timeout = lasts / 3;
  return redis::Connection(endpoint.url(), options);
}

}  // namespace

std::variant<std::unique_ptr<Lease>, Lease::Holder> Lease::take(const redis::Endpoint& endpoint,
                                                                const std::string& job,
                                                                base::Duration lasts) {
  redis::Connection connection = endpoint.connect();
  const std::string key = "moonshift:lease:" + job;
  std::string token = make_token();
  const base::Duration asked = since_boot();
  const redis::Reply reply =
      connection.call({"EVAL", kTake, "1", key, token, in_milliseconds(lasts)});
  throw_if_error(reply, connection.where());
  if (reply.elements.size() == 2) {
    return Holder{std::string(without_random_part(reply.elements[0].text)),
                  milliseconds(reply.elements[1].integer)};
  }
  return std::unique_ptr<Lease>(new Lease(endpoint, key, std::move(token), lasts, asked + lasts));
}

Lease::Lease(const redis::Endpoint& endpoint, std::string key, std::string token,
             base::Duration lasts, base::Duration expires)
    : endpoint_(endpoint),
      key_(std::move(key)),
      token_(std::move(token)),
      lasts_(lasts),
      expires_(expires.count()),
      thread_([this](std::stop_token stop) { keep(std::move(stop)); }) {}

Lease::~Lease() {
  thread_.request_stop();
  wake_.notify_all();
  thread_.join();
}

bool Lease::held() const {
  if (!lost_.load() && since_boot().count() >= expires_.load()) lost_.store(true);
  return !lost_.load();
}

void Lease::check() const {
  if (held()) return;
  throw base::Aborted(base::Aborted::Reason::kLeaseLost,
                      fmt::format("{} is lost: another host may run the job now", key_));
}

void Lease::keep(std::stop_token stop) {
  while (!stop.stop_requested() && held()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, lasts_ / 3, [] { return false; });
    }
    if (!stop.stop_requested()) renew();
  }
  if (held()) release();
}

void Lease::renew() {
  try {
    if (!connection_) connection_ = connect(endpoint_, lasts_);
    const base::Duration asked = since_boot();
    if (connection_->expect({"EVAL", kRenew, "1", key_, token_, in_milliseconds(lasts_)}).integer ==
        1) {
      if (held()) expires_.store((asked + lasts_).count());
    } else {
      lost_.store(true);
    }
  } catch (const std::exception& error) {  // Aborted by a signal, too: the run still ends its items
    base::log_debug("{} was not renewed: {}", key_, error.what());
    connection_.reset();
  }
}

void Lease::release() {
  try {
    if (!connection_) connection_ = connect(endpoint_, lasts_);
    connection_->expect({"EVAL", kRelease, "1", key_, token_});
  } catch (const std::exception& error) {
    base::log_debug("{} was not released, and will expire: {}", key_, error.what());
  }
}

std::string turn_key(const std::string& job) { return "moonshift:ran:" + job; }

std::optional<Turn> read_turn(const redis::Endpoint& endpoint, const std::string& job) {
  redis::Connection connection = endpoint.connect();
  const redis::Reply reply = connection.call({"GET", turn_key(job)});
  if (reply.is_error() && reply.text.starts_with("WRONGTYPE")) return std::nullopt;  // not ours
  throw_if_error(reply, connection.where());
  const auto space = reply.text.find(' ');
  if (reply.is_nil() || space == std::string::npos) return std::nullopt;
  try {
    return Turn{base::parse_time(reply.text.substr(0, space)), reply.text.substr(space + 1)};
  } catch (const base::ConfigError&) {  // not one of ours
    return std::nullopt;
  }
}

void write_turn(const redis::Endpoint& endpoint, const std::string& job, const Turn& turn,
                base::Duration keep) {
  redis::Connection connection = endpoint.connect();
  const std::string text = fmt::format("{} {}", base::format_time(turn.scheduled), turn.host);
  throw_if_error(
      connection.call({"EVAL", kWriteTurn, "1", turn_key(job), text, in_milliseconds(keep)}),
      connection.where());
}

}  // namespace moonshift::task
