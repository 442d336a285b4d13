// Compares ways to do the same work: to purge the leaked half of many rate-limit keys, to remove old
// jobs, to run small scripts. Every method meets the same data on the same private redis-server, runs in a process of its own, and is watched from outside.

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using Milliseconds = std::chrono::duration<double, std::milli>;
using namespace std::chrono_literals;

constexpr std::string_view kUsage =
    "usage: bench MOONSHIFT [memory | eval | clean] [--keys COUNT] [--rounds N]\n";
constexpr long kMegabyte = 1024 * 1024;
constexpr long kMemoryLimit = 64 * kMegabyte;

volatile std::sig_atomic_t interrupted = 0;

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

class Redis {
 public:
  explicit Redis(const std::string& socket)
      : context_(redisConnectUnix(socket.c_str()), redisFree) {
    if (!context_ || context_->err) throw std::runtime_error("cannot connect to " + socket);
  }

  /// Sent with whatever else was appended, as soon as next() has to wait.
  void append(std::initializer_list<std::string_view> words) {
    std::array<const char*, 8> data{};
    std::array<std::size_t, 8> sizes{};
    std::size_t count = 0;
    for (std::string_view word : words) {
      data.at(count) = word.data();
      sizes.at(count++) = word.size();
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(count), data.data(), sizes.data());
  }

  Reply next() {
    void* raw = nullptr;
    if (redisGetReply(context_.get(), &raw) != REDIS_OK) throw std::runtime_error(context_->errstr);
    Reply reply(static_cast<redisReply*>(raw), freeReplyObject);
    if (reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply->str);
    return reply;
  }

  Reply call(std::initializer_list<std::string_view> words) {
    append(words);
    return next();
  }

  /// One field of INFO.
  std::string info(std::string_view section, const std::string& field) {
    const Reply reply = call({"INFO", section});
    const std::string text(reply->str, reply->len);
    const std::size_t start = text.find("\n" + field + ":");
    if (start == std::string::npos) throw std::runtime_error("INFO has no " + field);
    const std::size_t value = start + field.size() + 2;
    return text.substr(value, text.find('\r', value) - value);
  }

 private:
  std::unique_ptr<redisContext, decltype(&redisFree)> context_;
};

/// Removes the keys that match, all or only those without a TTL, with what Redis and hiredis allow
/// at best: as soon as a page of keys is there, the next is asked for, and nothing waits for
/// anything else.
void purge_plainly(Redis& redis, std::string_view pattern, bool leaked_only) {
  enum class Kind { kScan, kTtl, kRemove };
  struct Pending {
    Kind kind;
    std::string key;
  };
  std::deque<Pending> pending;
  const auto scan = [&](std::string_view cursor) {
    redis.append({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", "string"});
    pending.push_back({Kind::kScan, {}});
  };

  scan("0");
  while (!pending.empty()) {
    const Pending request = std::move(pending.front());
    pending.pop_front();
    const Reply reply = redis.next();
    if (request.kind == Kind::kScan) {
      const std::string_view cursor = reply->element[0]->str;
      if (cursor != "0") scan(cursor);
      const redisReply& keys = *reply->element[1];
      for (std::size_t i = 0; i < keys.elements; ++i) {
        const std::string_view key(keys.element[i]->str, keys.element[i]->len);
        redis.append({leaked_only ? "PTTL" : "UNLINK", key});
        pending.push_back({leaked_only ? Kind::kTtl : Kind::kRemove, std::string(key)});
      }
    } else if (request.kind == Kind::kTtl && reply->integer == -1) {
      redis.append({"PEXPIRE", request.key, "-1", "NX"});
      pending.push_back({Kind::kRemove, {}});
    }
  }
}

struct Usage {
  Seconds wall{}, cpu{};
  long memory = 0;  // bytes resident at the peak, of the largest process
};

/// A child process that does not outlive this one.
class Child {
 public:
  Child(const std::vector<std::string>& command, const std::filesystem::path& output)
      : started_(Clock::now()), pid_(fork()) {
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ > 0) return;
    setsid();  // so that it can be killed with its own children, and Ctrl-C reaches only us
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  bool running() {
    if (waitpid(pid_, nullptr, WNOHANG) == 0) return true;
    pid_ = 0;
    return false;
  }

  /// Waits for the end. Throws if it failed or if we were interrupted.
  Usage finish() {
    int status = 0;
    rusage used{};
    if (wait4(pid_, &status, 0, &used) != pid_ || interrupted)
      throw std::runtime_error("interrupted");
    pid_ = 0;
    if (status != 0) throw std::runtime_error("it failed");
    const auto seconds = [](timeval t) {
      return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
    };
    return {Clock::now() - started_, seconds(used.ru_utime) + seconds(used.ru_stime),
            used.ru_maxrss * 1024};
  }

 private:
  Clock::time_point started_;
  pid_t pid_;
};

/// A redis-server on a Unix socket in a temporary directory; both go at the end.
class Server {
 public:
  Server()
      : directory_(make_directory()),
        socket_(directory_ / "redis.sock"),
        process_({"redis-server", "--port", "0", "--unixsocket", socket_, "--dir", directory_,
                  "--save", "", "--appendonly", "no"},
                 directory_ / "redis.log") {
    while (!std::filesystem::exists(socket_)) {
      if (!process_.running()) throw std::runtime_error("redis-server does not start");
      std::this_thread::sleep_for(5ms);
    }
  }
  ~Server() { std::filesystem::remove_all(directory_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::filesystem::path& directory() const { return directory_; }
  const std::string& socket() const { return socket_; }

 private:
  static std::filesystem::path make_directory() {
    std::string path = std::filesystem::temp_directory_path() / "moonshift-bench-XXXXXX";
    if (!mkdtemp(path.data())) throw std::runtime_error("cannot make " + path);
    return path;
  }

  std::filesystem::path directory_;
  std::string socket_;
  Child process_;
};

/// Another client of the same Redis: it sends a PING every millisecond. While it waits for a slow
/// one it cannot send those that fall due, so each of these counts with the time it would have
/// waited; otherwise a Redis that stops for seconds would show in one sample out of thousands.
class Bystander {
 public:
  explicit Bystander(const std::string& socket)
      : thread_([this, redis = Redis(socket)](const std::stop_token& stop) mutable {
          block_signals();
          for (; !stop.stop_requested(); ++pings_) {
            const Clock::time_point sent = Clock::now();
            redis.call({"PING"});
            const Clock::time_point answered = Clock::now();
            for (Clock::time_point due = sent; due < answered; due += 1ms)
              waits_.push_back(answered - due);
            std::this_thread::sleep_until(answered + 1ms);
          }
        }) {}

  void stop() {
    thread_.request_stop();
    thread_.join();
    std::sort(waits_.begin(), waits_.end());
  }

  /// After stop().
  Milliseconds quantile(double q) const {
    return waits_.at(static_cast<std::size_t>(q * static_cast<double>(waits_.size() - 1)));
  }
  long pings() const { return pings_; }

 private:
  /// They are for the main thread, which waits in wait4().
  static void block_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
  }

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

/// Fills an empty Redis, and says how many keys must be left at the end.
using Fill = std::function<long(Redis&)>;

/// Fills an empty Redis with `leaked` keys without a TTL and `live` keys with one.
long fill(Redis& redis, long leaked, long live) {
  long unanswered = 0;
  const auto settle = [&] {
    for (; unanswered > 0; --unanswered) redis.next();
  };
  for (long i = 0; i < std::max(leaked, live); ++i) {
    const std::string number = std::to_string(i);
    if (i < leaked) redis.append({"SET", "rl:leaked:" + number, "1"}), ++unanswered;
    if (i < live) redis.append({"SET", "rl:live:" + number, "1", "EX", "86400"}), ++unanswered;
    if (unanswered >= 1000) settle();
    if (interrupted) throw std::runtime_error("interrupted");
  }
  settle();
  return live;
}

Measurement measure(const Server& server, const Method& method, const Fill& fill) {
  Redis redis(server.socket());
  redis.call({"FLUSHALL"});
  const long expected = fill(redis);
  const auto redis_cpu = [&] {
    return Seconds(std::stod(redis.info("cpu", "used_cpu_user")) +
                   std::stod(redis.info("cpu", "used_cpu_sys")));
  };
  const std::filesystem::path output = server.directory() / "output";
  redis.call({"CONFIG", "RESETSTAT"});
  const Seconds cpu_before = redis_cpu();
  Bystander bystander(server.socket());
  try {
    Child child(method.command, output);
    Measurement result{.usage = child.finish()};
    bystander.stop();
    if (const long long left = redis.call({"DBSIZE"})->integer; left != expected)
      throw std::runtime_error(std::to_string(left) + " keys are left instead of " +
                               std::to_string(expected));
    result.redis_cpu = redis_cpu() - cpu_before;
    result.commands =
        std::stol(redis.info("stats", "total_commands_processed")) - bystander.pings();
    result.p50 = bystander.quantile(0.5);
    result.p99 = bystander.quantile(0.99);
    result.max = bystander.quantile(1);
    return result;
  } catch (const std::exception& e) {
    std::ostringstream said;
    said << std::ifstream(output).rdbuf();
    throw std::runtime_error(method.name + ": " + e.what() + "\n" + said.str());
  }
}

/// Only the leaked keys have this prefix, so that those who do not look at the TTL can be compared.
constexpr const char* kLeakedPrefix = "rl:leaked:*";

Method moonshift(const std::string& program, const Server& server, const std::string& engine,
                 const std::string& only) {
  const std::string pattern = only == "all" ? kLeakedPrefix : "rl:*";
  return {"moonshift, " + engine + " engine",
          {program, "run", "ratelimit/purge", "--url", "unix://" + server.socket(), "--engine",
           engine, "--param", "pattern=" + pattern, "--param", "only=" + only, "--json"}};
}

Method plain(const Server& server, const std::string& only) {
  return {"plain C++ pipeline",
          {std::filesystem::read_symlink("/proc/self/exe"), "plain", server.socket(), only}};
}

/// Who finds out itself which keys have no TTL.
std::vector<Method> careful_methods(const std::string& program, const Server& server) {
  return {plain(server, "leaked"), moonshift(program, server, "local", "leaked"),
          moonshift(program, server, "server", "leaked")};
}

std::vector<Method> methods(const std::string& program, const Server& server) {
  const std::string redis_cli = "redis-cli -s " + server.socket();
  return {
      plain(server, "all"),
      moonshift(program, server, "local", "all"),
      moonshift(program, server, "server", "all"),
      {"redis-cli | xargs",
       {"sh", "-c",
        redis_cli + " --scan --pattern 'rl:leaked:*' | xargs " + redis_cli + " unlink"}},
      {"KEYS + DEL by EVAL",
       {"sh", "-c",
        redis_cli + " eval \"local keys = redis.call('keys', 'rl:leaked:*')"
                    " for _, key in ipairs(keys) do redis.call('del', key) end return #keys\" 0"}},
  };
}

std::string thousands(long number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

std::string fixed(double value, int digits, std::string_view unit = "") {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value << unit;
  return text.str();
}

void progress(const std::string& text) {
  if (isatty(STDERR_FILENO)) std::cerr << "\r\x1b[K" << text << std::flush;
}

struct Column {
  const char* group;
  const char* heading;
  int width;
  int digits;
  double (*value)(const Measurement&);
};

constexpr Column kColumns[] = {
    {"", "time s", 8, 2, [](const Measurement& m) { return m.usage.wall.count(); }},
    {"CPU s", "own", 8, 2, [](const Measurement& m) { return m.usage.cpu.count(); }},
    {"", "Redis", 7, 2, [](const Measurement& m) { return m.redis_cpu.count(); }},
    {"", "commands", 12, 0, [](const Measurement& m) { return static_cast<double>(m.commands); }},
    {"", "MB", 6, 1,
     [](const Measurement& m) { return static_cast<double>(m.usage.memory) / kMegabyte; }},
    {"PING ms", "p50", 10, 2, [](const Measurement& m) { return m.p50.count(); }},
    {"", "p99", 9, 2, [](const Measurement& m) { return m.p99.count(); }},
    {"", "max", 9, 2, [](const Measurement& m) { return m.max.count(); }},
};

double median(const std::vector<Measurement>& rounds, const Column& column) {
  std::vector<double> values;
  for (const Measurement& round : rounds) values.push_back(column.value(round));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print_table(const std::vector<Method>& methods,
                 const std::vector<std::vector<Measurement>>& measured) {
  const auto row = [](std::string_view name, std::string_view ratio, auto cell) {
    std::cout << std::left << std::setw(25) << name << std::right << std::setw(5) << ratio;
    for (const Column& column : kColumns) std::cout << std::setw(column.width) << cell(column);
    std::cout << '\n';
  };
  row("", "", [](const Column& column) { return column.group; });
  row("", "ratio", [](const Column& column) { return column.heading; });
  const double limit = median(measured[0], kColumns[0]);
  for (std::size_t i = 0; i < methods.size(); ++i) {
    row(methods[i].name, fixed(median(measured[i], kColumns[0]) / limit, 2),
        [&](const Column& column) {
          const double value = median(measured[i], column);
          return column.digits ? fixed(value, column.digits) : thousands(std::lround(value));
        });
  }
}

std::vector<std::vector<Measurement>> measure_all(const Server& server,
                                                  const std::vector<Method>& all,
                                                  const Fill& fill, int rounds) {
  std::vector<std::vector<Measurement>> measured(all.size());
  for (int round = 1; round <= rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      progress("round " + std::to_string(round) + " of " + std::to_string(rounds) + ": " +
               all[i].name);
      measured[i].push_back(measure(server, all[i], fill));
    }
  }
  progress("");
  return measured;
}

void compare(const std::string& program, long keys, int rounds) {
  const Server server;
  const auto all = methods(program, server);
  const auto careful = careful_methods(program, server);
  std::cout << "Purging " << thousands(keys) << " of " << thousands(2 * keys)
            << " rate-limit keys by their prefix, Redis "
            << Redis(server.socket()).info("server", "redis_version")
            << " on a Unix socket; medians of " << rounds << " rounds\n\n";
  const Fill both = [&](Redis& redis) { return fill(redis, keys, keys); };
  print_table(all, measure_all(server, all, both, rounds));
  std::cout << "\nPurging those among them that have no TTL\n\n";
  print_table(careful, measure_all(server, careful, both, rounds));
  std::cout << R"(
The plain pipeline is the limit: the same commands through hiredis, a second look at what is left
included, but without Lua, a budget or any other care. redis-cli and the EVAL do not look again.
PING: what a bystander on a connection of its own waits, one PING being due each millisecond.
)";
}

/// Fails if moonshift needs more memory than it promises, however many keys there are.
void check_memory(const std::string& program, long keys) {
  const Server server;
  for (const std::string engine : {"local", "server"}) {
    const Method method = moonshift(program, server, engine, "leaked");
    progress(method.name);
    const Measurement result = measure(server, method, [&](Redis& redis) { return fill(redis, keys, 0); });
    progress("");
    std::cout << method.name << ": " << thousands(keys) << " keys purged in "
              << fixed(result.usage.wall.count(), 1, " s") << " with at most "
              << fixed(static_cast<double>(result.usage.memory) / kMegabyte, 1, " MB")
              << " resident\n";
    if (result.usage.memory >= kMemoryLimit) throw std::runtime_error("that is too much memory");
  }
}

/// Removing old completed jobs: as BullMQ itself does it, and in both engines.
void compare_cleans(const std::string& program, long jobs, int rounds) {
  const Server server;
  const std::string node = std::getenv("NODE") ? std::getenv("NODE") : "node";
  const std::string library = std::string(BENCH_SOURCES) + "/bullmq.mjs";
  const auto clean = [&](const std::string& engine) -> Method {
    return {"moonshift, " + engine + " engine",
            {program, "run", "bullmq/clean", "--url", "unix://" + server.socket(), "--engine",
             engine, "--json"}};
  };
  const std::vector<Method> all{
      {"queue.clean of BullMQ", {node, library, "clean", server.socket()}},
      clean("local"),
      clean("server")};
  const Fill fill = [&](Redis& redis) {
    Child({node, library, "fill", server.socket(), std::to_string(jobs)},
          server.directory() / "output")
        .finish();
    // Each job has a hash, each fourth one logs; the index goes with the last.
    const long own = jobs + (jobs + 1) / 4 + 1;
    return static_cast<long>(redis.call({"DBSIZE"})->integer) - own;
  };
  std::cout << "Removing " << thousands(jobs) << " completed jobs, Redis "
            << Redis(server.socket()).info("server", "redis_version")
            << " on a Unix socket; medians of " << rounds << " rounds\n\n";
  print_table(all, measure_all(server, all, fill, rounds));
}

/// Small scripts as applications have them: a counter, a limiter, a document, a list.
constexpr std::array<std::string_view, 4> kSmallScripts{
    "return redis.call('INCR', KEYS[1])",
    "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) "
    "end return n",
    "return #cjson.encode({id = KEYS[1], values = {1, 2, 3}})",
    "redis.call('LPUSH', 'l' .. KEYS[1], ARGV[1]) return redis.call('LTRIM', 'l' .. KEYS[1], 0, "
    "9)"};

void write_requests(const std::filesystem::path& json, const std::filesystem::path& inlined,
                    long count) {
  std::ofstream requests(json), commands(inlined);
  for (long i = 0; i < count; ++i) {
    const std::string_view script =
        kSmallScripts[static_cast<std::size_t>(i) % kSmallScripts.size()];
    const std::string key = "k" + std::to_string(i % 1000);
    requests << R"({"script":")" << script << R"(","keys":[")" << key << R"("],"args":["60"]})"
             << '\n';
    commands << "EVAL \"" << script << "\" 1 " << key << " 60\n";
  }
}

/// How many small scripts one connection gets done, one after the other.
void compare_evals(const std::string& program, long count, int rounds) {
  const Server server;
  const auto requests = server.directory() / "requests", commands = server.directory() / "commands";
  write_requests(requests, commands, count);
  const auto batch = [&](const std::string& engine) -> Method {
    return {"moonshift, " + engine + " engine",
            {"sh", "-c",
             program + " eval --batch --engine " + engine + " --url unix://" + server.socket() +
                 " < " + requests.string()}};
  };
  const std::vector<Method> all{
      {"EVAL by redis-cli",
       {"sh", "-c", "redis-cli -s " + server.socket() + " < " + commands.string()}},
      batch("local"),
      batch("server")};
  std::vector<std::vector<double>> seconds(all.size());
  for (int round = 1; round <= rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      progress("round " + std::to_string(round) + ": " + all[i].name);
      Redis(server.socket()).call({"FLUSHALL"});
      seconds[i].push_back(
          Child(all[i].command, server.directory() / "answers").finish().wall.count());
    }
  }
  progress("");
  std::cout << thousands(count)
            << " small scripts, one after the other on one connection; medians of " << rounds
            << " rounds\n\n";
  double limit = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::sort(seconds[i].begin(), seconds[i].end());
    const double median = seconds[i][seconds[i].size() / 2];
    if (i == 0) limit = median;
    std::cout << std::left << std::setw(25) << all[i].name << std::right << std::setw(5)
              << fixed(median / limit, 2) << std::setw(12)
              << thousands(std::lround(static_cast<double>(count) / median)) << " scripts/s\n";
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "plain") {
    Redis redis(words[1]);
    const bool leaked_only = words[2] == "leaked";
    for (int pass = 0; pass < 2; ++pass) {  // as moonshift verifies: nothing must be left to remove
      purge_plainly(redis, leaked_only ? "rl:*" : kLeakedPrefix, leaked_only);
    }
    return 0;
  }

  bool memory = false, evals = false, cleans = false;
  long keys = 0;
  int rounds = 3;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "memory")
      memory = true;
    else if (words[i] == "eval")
      evals = true;
    else if (words[i] == "clean")
      cleans = true;
    else if (words[i] == "--keys" && i + 1 < words.size())
      keys = std::stol(words[++i]);
    else if (words[i] == "--rounds" && i + 1 < words.size())
      rounds = std::stoi(words[++i]);
    else
      throw std::invalid_argument(words[i]);
  }
  if (words.empty()) throw std::invalid_argument("no program");

  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);

  if (memory)
    check_memory(words[0], keys ? keys : 5'000'000);
  else if (evals)
    compare_evals(words[0], keys ? keys : 40'000, rounds);
  else if (cleans)
    compare_cleans(words[0], keys ? keys : 1'000'000, rounds);
  else
    compare(words[0], keys ? keys : 1'000'000, rounds);
} catch (const std::invalid_argument&) {
  std::cerr << kUsage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "bench: " << e.what() << '\n';
  return 1;
}
