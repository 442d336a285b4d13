#include "record/notifier.hpp"

#include <fmt/format.h>

#include <random>
#include <system_error>

#include "base/log.hpp"
#include "base/text.hpp"
#include "record/last_verdict.hpp"
#include "record/program.hpp"

namespace moonshift::record {

namespace {

using base::ExitCode;
using health::Level;

/// Version 4 of RFC 4122: random.
std::string make_uuid() {
  std::random_device random;
  std::array<unsigned, 4> words{};
  for (unsigned& word : words) word = random();
  words[1] = (words[1] & 0xFFFF0FFFu) | 0x4000u;
  words[2] = (words[2] & 0x3FFFFFFFu) | 0x80000000u;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:04x}{:08x}", words[0], words[1] >> 16,
                     words[1] & 0xFFFFu, words[2] >> 16, words[2] & 0xFFFFu, words[3]);
}

bool is_set(const std::optional<std::string>& text) { return text && !text->empty(); }

}  // namespace

Notifier::Notifier(NotifySettings settings)
    : settings_(std::move(settings)),
      timeout_(settings_.timeout.value_or(std::chrono::seconds(10))),
      run_uuid_(make_uuid()) {}

void Notifier::started() const {
  if (!is_set(settings_.ping)) return;
  set_up_http();
  try {
    start_ping_ = std::jthread([this] { ping("start", ""); });
  } catch (const std::system_error& error) {
    base::log_warning("notify: the ping of the start: {}", error.what());
  }
}

void Notifier::await_start_ping() const {
  if (start_ping_.joinable()) start_ping_.join();
}

void Notifier::ended(const Report& report) const {
  await_start_ping();
  // Another run is at it, and tells of itself.
  if (report.exit_code == ExitCode::kLockHeld) return;
  const bool good = report.exit_code == ExitCode::kDone;
  tell(report, good ? "" : std::to_string(static_cast<int>(report.exit_code)));
}

void Notifier::could_not_run(const Report& report) const {
  await_start_ping();
  tell(report, "fail");
}

void Notifier::tell(const Report& report, const std::string& ping_action) const {
  ping(ping_action, summary_of(report) + "\n" + base::join(errors_of(report), "\n") + "\n");
  const When when = settings_.when.value_or(When::kFailure);
  if (when == When::kChange) {
    tell_change(report);
  } else if (is_due(when, verdict_of(report), {})) {
    tell_all(report);
  }
}

void Notifier::tell_change(const Report& report) const {
  const Level verdict = verdict_of(report);
  std::filesystem::path state;
  std::optional<Level> last;
  const bool remembers = attempt("the verdict of the last run", [&] {
    state = state_directory();
    last = read_last_verdict(state, report.name);
  });
  if (is_due(When::kChange, verdict, last)) {
    // What nobody heard is still news at the next run.
    if (!tell_all(report)) return;
  } else if (last) {
    return;
  }
  if (remembers) {
    attempt("the verdict of this run, for the next one",
            [&] { write_last_verdict(state, report.name, verdict); });
  }
}

bool Notifier::tell_all(const Report& report) const {
  int asked = 0, heard = 0;
  const auto count = [&](bool told) {
    ++asked;
    heard += told ? 1 : 0;
  };
  if (is_set(settings_.webhook)) {
    count(attempt("the webhook at " + show_without_secrets(*settings_.webhook), [&] {
      post(webhook_request(*settings_.webhook, settings_.body_template.value_or(""), report),
           timeout_);
    }));
  }
  if (is_set(settings_.sentry) && verdict_of(report) == Level::kCritical) {
    count(attempt("Sentry at " + show_without_secrets(*settings_.sentry),
                  [&] { post(sentry_request(*settings_.sentry, run_uuid_, report), timeout_); }));
  }
  if (settings_.exec && !settings_.exec->empty()) {
    count(attempt("the program " + settings_.exec->front(),
                  [&] { run_program(*settings_.exec, to_json(report) + "\n", timeout_); }));
  }
  return heard > 0 || asked == 0;
}

void Notifier::ping(const std::string& action, const std::string& body) const {
  if (!is_set(settings_.ping)) return;
  attempt("the ping at " + show_without_secrets(*settings_.ping),
          [&] { post(ping_request(*settings_.ping, action, run_uuid_, body), timeout_); });
}

bool Notifier::attempt(const std::string& what, const std::function<void()>& action) const {
  try {
    action();
    base::log_debug("notify: {}: done", what);
    return true;
  } catch (const std::exception& error) {
    base::log_warning("notify: {}: {}", what, error.what());
    return false;
  }
}

}  // namespace moonshift::record
