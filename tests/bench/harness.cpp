#include "harness.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace bench {

using namespace std::chrono_literals;

volatile std::sig_atomic_t interrupted = 0;

// Redis

Redis::Redis(const std::string& socket) : context_(redisConnectUnix(socket.c_str()), redisFree) {
  if (!context_ || context_->err) throw std::runtime_error("cannot connect to " + socket);
}

void Redis::append(std::initializer_list<std::string_view> words) {
  std::array<const char*, 16> data{};
  std::array<std::size_t, 16> sizes{};
  std::size_t count = 0;
  for (std::string_view word : words) {
    data.at(count) = word.data();
    sizes.at(count++) = word.size();
  }
  redisAppendCommandArgv(context_.get(), static_cast<int>(count), data.data(), sizes.data());
}

Reply Redis::next() {
  void* raw = nullptr;
  if (redisGetReply(context_.get(), &raw) != REDIS_OK) throw std::runtime_error(context_->errstr);
  Reply reply(static_cast<redisReply*>(raw), freeReplyObject);
  if (reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply->str);
  return reply;
}

Reply Redis::call(std::initializer_list<std::string_view> words) {
  append(words);
  return next();
}

std::string Redis::info(std::string_view section, const std::string& field) {
  const Reply reply = call({"INFO", section});
  const std::string text(reply->str, reply->len);
  const std::size_t start = text.find("\n" + field + ":");
  if (start == std::string::npos) throw std::runtime_error("INFO has no " + field);
  const std::size_t value = start + field.size() + 2;
  return text.substr(value, text.find('\r', value) - value);
}

// Processes

Child::Child(const std::vector<std::string>& command, const std::filesystem::path& output)
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

Child::~Child() {
  if (pid_ <= 0) return;
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool Child::running() {
  if (waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = 0;
  return false;
}

Usage Child::finish() {
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

namespace {

std::filesystem::path make_directory() {
  std::string path = std::filesystem::temp_directory_path() / "moonshift-bench-XXXXXX";
  if (!mkdtemp(path.data())) throw std::runtime_error("cannot make " + path);
  return path;
}

/// The socket is there a moment earlier than that.
bool accepts_connections(const std::string& socket) {
  const std::unique_ptr<redisContext, decltype(&redisFree)> context(
      redisConnectUnix(socket.c_str()), redisFree);
  return context && !context->err;
}

}  // namespace

Server::Server()
    : directory_(make_directory()),
      socket_(directory_ / "redis.sock"),
      process_({"redis-server", "--port", "0", "--unixsocket", socket_, "--dir", directory_,
                "--save", "", "--appendonly", "no"},
               directory_ / "redis.log") {
  while (!accepts_connections(socket_)) {
    if (!process_.running()) throw std::runtime_error("redis-server does not start");
    std::this_thread::sleep_for(5ms);
  }
}

Server::~Server() { std::filesystem::remove_all(directory_); }

std::string Server::version() const { return Redis(socket_).info("server", "redis_version"); }

// Measuring

namespace {

/// They are for the main thread, which waits in wait4().
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Bystander::Bystander(const std::string& socket)
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

void Bystander::stop() {
  thread_.request_stop();
  thread_.join();
  std::sort(waits_.begin(), waits_.end());
}

Milliseconds Bystander::quantile(double q) const {
  return waits_.at(static_cast<std::size_t>(q * static_cast<double>(waits_.size() - 1)));
}

Check keys_are_left(long expected) {
  return [expected](Redis& redis, const std::string&) {
    if (const long long left = redis.call({"DBSIZE"})->integer; left != expected)
      throw std::runtime_error(std::to_string(left) + " keys are left instead of " +
                               std::to_string(expected));
  };
}

namespace {

std::string read(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

Seconds cpu_of(Redis& redis) {
  return Seconds(std::stod(redis.info("cpu", "used_cpu_user")) +
                 std::stod(redis.info("cpu", "used_cpu_sys")));
}

}  // namespace

Measurement measure(const Server& server, const Method& method, const Fill& fill) {
  Redis redis(server.socket());
  redis.call({"FLUSHALL"});
  const Check check = fill(redis);
  const std::filesystem::path output = server.directory() / "output";
  redis.call({"CONFIG", "RESETSTAT"});
  const Seconds cpu_before = cpu_of(redis);
  Bystander bystander(server.socket());
  try {
    Child child(method.command, output);
    Measurement result{.usage = child.finish()};
    bystander.stop();
    result.redis_cpu = cpu_of(redis) - cpu_before;
    result.commands =
        std::stol(redis.info("stats", "total_commands_processed")) - bystander.pings();
    result.p50 = bystander.quantile(0.5);
    result.p99 = bystander.quantile(0.99);
    result.max = bystander.quantile(1);
    check(redis, read(output));
    return result;
  } catch (const std::exception& e) {
    throw std::runtime_error(method.name + ": " + e.what() + "\n" + read(output));
  }
}

std::vector<std::vector<Measurement>> measure_all(const Server& server,
                                                  const std::vector<Method>& methods,
                                                  const Fill& fill, int rounds) {
  std::vector<std::vector<Measurement>> measured(methods.size());
  for (int round = 1; round <= rounds; ++round) {
    for (std::size_t i = 0; i < methods.size(); ++i) {
      progress("round " + std::to_string(round) + " of " + std::to_string(rounds) + ": " +
               methods[i].name);
      measured[i].push_back(measure(server, methods[i], fill));
    }
  }
  progress("");
  return measured;
}

void require_little_memory(const Usage& usage) {
  if (usage.memory >= kMemoryLimit) throw std::runtime_error("that is too much memory");
}

// Printing

std::string thousands(long number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

std::string fixed(double value, int digits, std::string_view unit) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value << unit;
  return text.str();
}

double megabytes(const Usage& usage) { return static_cast<double>(usage.memory) / kMegabyte; }

void progress(const std::string& text) {
  if (isatty(STDERR_FILENO)) std::cerr << "\r\x1b[K" << text << std::flush;
}

namespace {

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
    {"", "MB", 6, 1, [](const Measurement& m) { return megabytes(m.usage); }},
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

}  // namespace

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

}  // namespace bench
