#include "service/redis_poll.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/log.hpp"
#include "redis/reachable.hpp"

namespace moonshift::service {

namespace {

using namespace std::chrono_literals;

constexpr base::Duration kFirstPause = 500ms;
constexpr base::Duration kLongestPause = 5s;

}  // namespace

RedisPoll::RedisPoll(SystemClock& clock, Resolve resolve)
    : resolve_(std::move(resolve)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  clock.add(wake_.get());
}

RedisPoll::~RedisPoll() {
  for (auto& [redis, thread] : threads_) thread.request_stop();
  threads_.clear();
}

void RedisPoll::watch(const std::set<std::string>& redises) {
  std::erase_if(threads_, [&](const auto& entry) { return !redises.contains(entry.first); });
  for (const std::string& redis : redises) {
    if (threads_.contains(redis)) continue;
    threads_.emplace(redis, [this, redis](std::stop_token stop) { ask(std::move(stop), redis); });
  }
}

std::vector<RedisWatch::Answer> RedisPoll::answers() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(wake_.get(), &count, sizeof count);
  const std::scoped_lock lock(mutex_);
  return std::exchange(answers_, {});
}

void RedisPoll::ask(std::stop_token stop, const std::string& redis) {
  base::Duration pause = kFirstPause;
  bool told = false;
  try {
    const redis::Url url = resolve_(redis);
    while (!stop.stop_requested() && !redis::is_reachable(url)) {
      if (!std::exchange(told, true)) {
        base::log_warning("{}: Redis is gone; its jobs wait for it", url.where());
        answer(redis, false);
      }
      std::unique_lock lock(mutex_);
      ended_.wait_for(lock, stop, pause, [] { return false; });
      pause = std::min(pause * 2, kLongestPause);
    }
    if (told && !stop.stop_requested()) base::log_info("{}: Redis is back", url.where());
  } catch (const std::exception& error) {  // the run will say it
    base::log_debug("{}", error.what());
  }
  if (!stop.stop_requested()) answer(redis, true);
}

void RedisPoll::answer(const std::string& redis, bool reachable) {
  const std::scoped_lock lock(mutex_);
  answers_.push_back({redis, reachable});
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace moonshift::service
