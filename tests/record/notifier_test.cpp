#include "record/notifier.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "record/last_verdict.hpp"
#include "record/program.hpp"
#include "support/http_server.hpp"
#include "support/script_directory.hpp"
#include "support/server.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using health::Level;
using record::NotifySettings;
using record::When;
using test::answer;
using test::HttpServer;

namespace {

namespace fs = std::filesystem;

record::Report report_of(base::ExitCode exit_code) {
  record::Report report;
  report.name = "nightly";
  report.exit_code = exit_code;
  return report;
}

std::vector<std::string> targets(const HttpServer& server) {
  std::vector<std::string> paths;
  for (const auto& call : server.calls())
    paths.push_back(call.target.substr(0, call.target.find('?')));
  return paths;
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// $STATE_DIRECTORY is an empty directory of the test's own.
struct State {
  State() { ::setenv("STATE_DIRECTORY", directory.path().c_str(), 1); }
  ~State() { ::unsetenv("STATE_DIRECTORY"); }

  test::ScriptDirectory directory;
};

std::string refusal(const std::vector<std::string>& words, base::Duration timeout = 10s) {
  try {
    record::run_program(words, "in", timeout);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "done";
}

}  // namespace

TEST_CASE("a run pings its start and its end, with one id") {
  struct Case {
    base::ExitCode exit_code;
    std::vector<std::string> paths;
  };
  for (const Case& c : {
           Case{base::ExitCode::kDone, {"/uuid/start", "/uuid"}},
           Case{base::ExitCode::kFailed, {"/uuid/start", "/uuid/1"}},
           Case{base::ExitCode::kNotVerified, {"/uuid/start", "/uuid/5"}},
           Case{base::ExitCode::kLockHeld, {"/uuid/start"}},
       }) {
    const HttpServer server;
    const record::Notifier notifier({.ping = server.url("/uuid")});
    notifier.started();
    notifier.ended(report_of(c.exit_code));
    CHECK(targets(server) == c.paths);
    const auto calls = server.calls();
    const auto rid = [&](std::size_t i) {
      return calls[i].target.substr(calls[i].target.find('?'));
    };
    CHECK(rid(0).size() == std::string("?rid=01234567-89ab-4def-8123-456789abcdef").size());
    CHECK(rid(0)[19] == '4');
    CHECK(rid(0) == rid(calls.size() - 1));
    const HttpServer other;
    { record::Notifier({.ping = other.url("/uuid")}).started(); }
    CHECK(other.calls()[0].target != calls[0].target);
  }
}

TEST_CASE("a start ping that hangs keeps no job waiting, and what is told later comes later") {
  const base::Interrupt interrupt;
  const HttpServer server({HttpServer::kSilence, answer("200 OK")});
  const record::Notifier notifier({.ping = server.url("/uuid"), .timeout = 1h});
  notifier.started();
  REQUIRE(test::eventually([&] { return server.calls().size() == 1; }));
  ::kill(::getpid(), SIGTERM);
  notifier.ended(report_of(base::ExitCode::kStopped));
  CHECK(targets(server) == std::vector<std::string>{"/uuid/start", "/uuid/4"});
}

TEST_CASE("after a signal, nobody may take long to hear of it") {
  const base::Interrupt interrupt;
  ::kill(::getpid(), SIGTERM);
  const HttpServer server({HttpServer::kSilence});
  const test::ScriptDirectory directory;
  const std::string file = (directory.path() / "heard").string();
  NotifySettings settings{.webhook = server.url("/hook"), .timeout = 1h};
  settings.exec = {"sh", "-c", "echo yes > \"$0\"; exec sleep 3600", file};
  record::Notifier(settings).ended(report_of(base::ExitCode::kStopped));
  CHECK(targets(server) == std::vector<std::string>{"/hook"});
  CHECK(text_of(file) == "yes\n");
}

TEST_CASE("a job that could not run pings /fail, with the reason") {
  const HttpServer server;
  record::Report report = report_of(base::ExitCode::kNoRedis);
  report.errors = {"no route to host"};
  record::Notifier({.ping = server.url("/uuid")}).could_not_run(report);
  CHECK(targets(server) == std::vector<std::string>{"/uuid/fail"});
  CHECK(server.calls()[0].body.find("no route to host") != std::string::npos);
}

TEST_CASE("by default failures are told; pings go out whatever `when` says") {
  const HttpServer server;
  const record::Notifier notifier({.webhook = server.url("/hook"), .ping = server.url("/ping")});
  notifier.ended(report_of(base::ExitCode::kDone));
  CHECK(targets(server) == std::vector<std::string>{"/ping"});
  notifier.ended(report_of(base::ExitCode::kStopped));
  CHECK(targets(server) == std::vector<std::string>{"/ping", "/ping/4", "/hook"});
}

TEST_CASE("Sentry hears of failures only") {
  const HttpServer server;
  const std::string dsn = "http://key@127.0.0.1:" + server.port() + "/1";
  const record::Notifier notifier({.sentry = dsn, .when = When::kAlways});
  notifier.ended(report_of(base::ExitCode::kDone));
  CHECK(server.calls().empty());
  notifier.ended(report_of(base::ExitCode::kFailed));
  CHECK(targets(server) == std::vector<std::string>{"/api/1/envelope/"});
}

TEST_CASE("an empty value is nobody") {
  const record::Notifier notifier({.webhook = "",
                                   .ping = "",
                                   .sentry = "",
                                   .exec = std::vector<std::string>{},
                                   .when = When::kAlways});
  notifier.started();
  notifier.ended(report_of(base::ExitCode::kFailed));
}

TEST_CASE("a change is told once, in both directions; it is remembered for each job") {
  const State state;
  const HttpServer server;
  const auto told = [&](base::ExitCode exit_code, const std::string& job = "nightly") {
    const std::size_t before = server.calls().size();
    record::Report report = report_of(exit_code);
    report.name = job;
    record::Notifier({.webhook = server.url(), .when = When::kChange}).ended(report);
    return server.calls().size() - before;
  };
  CHECK(told(base::ExitCode::kDone) == 0);
  CHECK(told(base::ExitCode::kFailed) == 1);
  CHECK(told(base::ExitCode::kFailed) == 0);
  CHECK(told(base::ExitCode::kNotVerified) == 0);
  CHECK(told(base::ExitCode::kFailed, "hourly") == 1);
  CHECK(told(base::ExitCode::kLockHeld) == 0);
  CHECK(told(base::ExitCode::kDone) == 1);
  CHECK(told(base::ExitCode::kDone) == 0);
  CHECK(told(base::ExitCode::kFailed, "hourly") == 0);
}

TEST_CASE("a change that nobody heard of is told at the next run") {
  const State state;
  const HttpServer server({answer("404 Not Found"), answer("200 OK")});
  const record::Notifier notifier({.webhook = server.url(), .when = When::kChange});
  for (int i = 0; i < 3; ++i) notifier.ended(report_of(base::ExitCode::kFailed));
  CHECK(server.calls().size() == 2);
}

TEST_CASE("a change is told though it cannot be remembered, and what was remembered is no word") {
  const HttpServer server;
  const record::Notifier notifier({.webhook = server.url(), .when = When::kChange});
  ::setenv("STATE_DIRECTORY", "/dev/null/nowhere", 1);
  notifier.ended(report_of(base::ExitCode::kFailed));
  CHECK(server.calls().size() == 1);

  const State state;
  record::write_last_verdict(state.directory.path(), "nightly", Level::kCritical);
  std::ofstream(state.directory.path() / "verdicts/nightly") << "\xff nonsense";
  notifier.ended(report_of(base::ExitCode::kFailed));
  CHECK(server.calls().size() == 2);
  CHECK(record::read_last_verdict(state.directory.path(), "nightly") == Level::kCritical);
}

TEST_CASE("where the state is") {
  const auto saved = std::string(std::getenv("HOME") ? std::getenv("HOME") : "");
  ::unsetenv("STATE_DIRECTORY");
  ::unsetenv("XDG_STATE_HOME");
  ::setenv("HOME", "/home/x", 1);
  CHECK(record::state_directory() == "/home/x/.local/state/moonshift");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  CHECK(record::state_directory() == "/home/x/.local/state/moonshift");
  ::setenv("XDG_STATE_HOME", "/state", 1);
  CHECK(record::state_directory() == "/state/moonshift");
  ::setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1);
  CHECK(record::state_directory() == "/var/lib/a");
  ::unsetenv("STATE_DIRECTORY");
  ::unsetenv("XDG_STATE_HOME");
  ::unsetenv("HOME");
  CHECK_THROWS_AS(record::state_directory(), base::ConfigError);
  ::setenv("HOME", saved.c_str(), 1);
}

TEST_CASE("a program gets the report on its standard input") {
  const test::ScriptDirectory directory;
  const fs::path file = directory.path() / "got";
  NotifySettings settings;
  settings.exec = {"sh", "-c", "cat > \"$0\"", file.string()};
  record::Notifier(settings).ended(report_of(base::ExitCode::kFailed));
  const auto report = nlohmann::json::parse(text_of(file));
  CHECK(report["exit_code"] == 1);
}

TEST_CASE("a program that fails, is not there, or does not read") {
  CHECK(refusal({"true"}) == "done");
  CHECK(refusal({"sh", "-c", "exit 3"}) == "it failed with exit status 3");
  CHECK(refusal({"sh", "-c", "kill -TERM $$"}) == "it was ended by signal 15");
  CHECK(refusal({"/nowhere/program"}) == "it cannot be started: No such file or directory");
  CHECK_NOTHROW(record::run_program({"true"}, std::string(1 << 20, 'x'), 10s));
}

TEST_CASE("a program that takes too long is killed, with its children") {
  const test::ScriptDirectory directory;
  const std::string file = (directory.path() / "child").string();
  const auto start = std::chrono::steady_clock::now();
  CHECK(refusal({"sh", "-c", "sleep 600 & echo $! > \"$0\"; wait", file}, 500ms) ==
        "it took longer than 500ms and was killed");
  CHECK(std::chrono::steady_clock::now() - start < 10s);
  const int child = std::stoi(text_of(file));
  // Dead, or a zombie that nobody has reaped yet.
  CHECK(test::eventually([&] {
    const std::string stat = text_of("/proc/" + std::to_string(child) + "/stat");
    return stat.empty() || stat.find(") Z ") != std::string::npos;
  }));
}

TEST_CASE("a signal ends a program that is under way") {
  const base::Interrupt interrupt;
  const test::ScriptDirectory directory;
  const std::string file = (directory.path() / "begun").string();
  const std::jthread person([&] {
    test::eventually([&] { return fs::exists(file); });
    ::kill(::getpid(), SIGTERM);
  });
  CHECK(refusal({"sh", "-c", "touch \"$0\"; exec sleep 3600", file}, 1h) ==
        "it took longer than 2s after the signal and was killed");
}
