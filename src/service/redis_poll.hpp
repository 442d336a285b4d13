#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "redis/url.hpp"
#include "service/daemon.hpp"
#include "service/system_clock.hpp"

namespace moonshift::service {

/// Asks each awaited Redis in a thread of its own, so that one that does not answer keeps nobody
/// waiting. There is none while all is well.
class RedisPoll : public RedisWatch {
 public:
  /// The Redis that a job's url stands for; throws ConfigError.
  using Resolve = std::function<redis::Url(const std::string& url)>;

  RedisPoll(SystemClock& clock, Resolve resolve);
  ~RedisPoll() override;

  void watch(const std::set<std::string>& redises) override;
  std::vector<Answer> answers() override;

 private:
  void ask(std::stop_token stop, const std::string& redis);
  bool wait_before_asking(const std::stop_token& stop, base::Duration pause);
  void answer(const std::string& redis, bool reachable);

  Resolve resolve_;
  redis::Descriptor wake_;  ///< an eventfd(2)
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::vector<Answer> answers_;
  /// One that asks still when it is told to stop ends when it has its answer.
  struct Thread {
    std::jthread thread;
    std::shared_ptr<std::atomic<bool>> ended = std::make_shared<std::atomic<bool>>(false);
  };
  // Last: they use all of the above.
  std::vector<Thread> stopped_;
  std::map<std::string, Thread> threads_;
};

}  // namespace moonshift::service
