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
  for (auto& [redis, thread] : threads_) thread.thread.request_stop();
}

void RedisPoll::watch(const std::set<std::string>& redises) {
  std::erase_if(stopped_, [](const Thread& thread) { return thread.ended->load(); });
  for (auto thread = threads_.begin(); thread != threads_.end();) {
    if (redises.contains(thread->first)) {
      ++thread;
      continue;
    }
    thread->second.thread.request_stop();
    stopped_.push_back(std::move(thread->second));
    thread = threads_.erase(thread);
  }
  for (const std::string& redis : redises) {
    if (threads_.contains(redis)) continue;
    Thread& thread = threads_[redis];
    thread.thread = std::jthread([this, redis, ended = thread.ended](std::stop_token stop) {
      ask(std::move(stop), redis);
      ended->store(true);
    });
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
    redis::Url url = resolve_(redis);
    // Somebody has just found it gone.
    while (!wait_before_asking(stop, pause) && !redis::is_reachable(url) &&
           !stop.stop_requested()) {
      pause = std::min(pause * 2, kLongestPause);
      url = resolve_(redis);  // it may be another one by now
      if (std::exchange(told, true)) continue;
      base::log_warning("{}: Redis is gone; its jobs wait for it", url.where());
      answer(redis, false);
    }
    if (told && !stop.stop_requested()) base::log_info("{}: Redis is back", url.where());
  } catch (const std::exception& error) {  // the run will say it
    base::log_debug("{}", error.what());
  }
  if (!stop.stop_requested()) answer(redis, true);
}

/// True if nobody wants to know any more.
bool RedisPoll::wait_before_asking(const std::stop_token& stop, base::Duration pause) {
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, stop, pause, [] { return false; });
  return stop.stop_requested();
}

void RedisPoll::answer(const std::string& redis, bool reachable) {
  const std::scoped_lock lock(mutex_);
  answers_.push_back({redis, reachable});
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace moonshift::service
