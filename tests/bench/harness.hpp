#pragma once

#include <hiredis/hiredis.h>
#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

/// Compares ways to do the same work. Every method meets the same data on the same private
/// redis-server, runs in a process of its own, and is watched from outside.
namespace bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr long kMegabyte = 1024 * 1024;
constexpr long kMemoryLimit = 64 * kMegabyte;  ///< what moonshift promises

/// Set by a signal handler.
extern volatile std::sig_atomic_t interrupted;

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

/// A connection; its methods throw what went wrong, error replies too.
class Redis {
 public:
  explicit Redis(const std::string& socket);

  /// Sent with whatever else was appended, as soon as next() has to wait. Up to 16 words.
  void append(std::initializer_list<std::string_view> words);
  Reply next();
  Reply call(std::initializer_list<std::string_view> words);

  /// One field of INFO.
  std::string info(std::string_view section, const std::string& field);

 private:
  std::unique_ptr<redisContext, decltype(&redisFree)> context_;
};

struct Usage {
  Seconds wall{}, cpu{};
  long memory = 0;  // bytes resident at the peak, of the largest process
};

/// A child process that does not outlive this one.
class Child {
 public:
  Child(const std::vector<std::string>& command, const std::filesystem::path& output);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool running();

  /// Waits for the end. Throws if it failed or if we were interrupted.
  Usage finish();

 private:
  Clock::time_point started_;
  pid_t pid_;
};

/// A redis-server on a Unix socket in a temporary directory; both go at the end.
class Server {
 public:
  Server();
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::filesystem::path& directory() const { return directory_; }
  const std::string& socket() const { return socket_; }

  /// `7.0.15`
  std::string version() const;

 private:
  std::filesystem::path directory_;
  std::string socket_;
  Child process_;
};

/// Another client of the same Redis: it sends a PING every millisecond. While it waits for a slow
/// one it cannot send those that fall due, so each of these counts with the time it would have
/// waited; otherwise a Redis that stops for seconds would show in one sample out of thousands.
class Bystander {
 public:
  explicit Bystander(const std::string& socket);

  void stop();

  /// After stop().
  Milliseconds quantile(double q) const;
  long pings() const { return pings_; }

 private:
  std::vector<Milliseconds> waits_;
  long pings_ = 0;
  std::jthread thread_;
};

struct Method {
  std::string name;
  std::vector<std::string> command;
};

struct Measurement {
  Usage usage;
  Seconds redis_cpu{};
  long commands = 0;
  Milliseconds p50{}, p99{}, max{};
};

/// Whether the work was done, given what the method printed; throws if not.
using Check = std::function<void(Redis&, const std::string& output)>;

/// Fills an empty Redis, and says how to look at the end whether the work was done.
using Fill = std::function<Check(Redis&)>;

Check keys_are_left(long expected);

Measurement measure(const Server& server, const Method& method, const Fill& fill);

/// Of each method, one for each round.
std::vector<std::vector<Measurement>> measure_all(const Server& server,
                                                  const std::vector<Method>& methods,
                                                  const Fill& fill, int rounds);

/// The medians of each method; the first one is the measure of the others.
void print_table(const std::vector<Method>& methods,
                 const std::vector<std::vector<Measurement>>& measured);

/// Throws if moonshift used more than it promises.
void require_little_memory(const Usage& usage);

/// 1234567 as 1,234,567.
std::string thousands(long number);

std::string fixed(double value, int digits, std::string_view unit = "");

double megabytes(const Usage& usage);

/// What is being done, on a terminal; the next one replaces it, "" removes it.
void progress(const std::string& text);

}  // namespace bench
