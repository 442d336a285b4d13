#include "service/planner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/exit_code.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "record/report.hpp"
#include "service/retry.hpp"

namespace moonshift::service {

namespace {

using base::Duration;
using base::ExitCode;
using base::UnixTime;
using std::chrono::floor;
using std::chrono::milliseconds;

/// See Planner. Up to the first, a clock that is set may as well have run a little wrong.
constexpr auto kPunctual = std::chrono::minutes(1);
constexpr auto kCorrection = std::chrono::hours(3);

UnixTime minus(UnixTime time, Duration duration) {
  return time - std::chrono::ceil<milliseconds>(duration);
}

}  // namespace

Planner::Planner(Options options, State state)
    : options_(std::move(options)), state_(std::move(state)) {}

void Planner::set_jobs(const std::vector<job::Job>& jobs, Moment now) {
  std::map<std::string, Entry> entries;
  for (const job::Job& job : jobs) {
    if (!job.schedule) continue;
    Entry& entry = entries[job.name];
    const auto known = entries_.find(job.name);
    const bool begins = known == entries_.end();
    if (!begins) entry = std::move(known->second);
    entry.job = job;
    entry.delay = derived_delay(options_.host, job.name, job.jitter);
    const bool first_seen = !state_.contains(job.name);
    JobRecord& record = state_[job.name];
    const std::string before = std::exchange(record.schedule, schedule_id(job));
    const bool new_times = first_seen || (!before.empty() && before != record.schedule);
    if (begins && running_of(job.name) == 0) resume(job.name, entry, now);
    // Set back while nobody was there to see it: the job's past lies in the future.
    const auto keeps = job.schedule->follows_clock() ? kPunctual : Duration(kCorrection);
    const bool wrong_clock = begins && record.handled > now.wall + floor<milliseconds>(keeps);
    if (new_times || wrong_clock) go_on_from(job.name, entry, now.wall);
    find_next(job.name, entry);
  }
  for (const auto& [name, entry] : entries_) {
    if (!entries.contains(name)) state_[name].owed = owed_by(name, entry);
  }
  entries_ = std::move(entries);
}

/// What was under way, or waited, when the last daemon ended or the job was gone.
void Planner::resume(const std::string& name, Entry& entry, Moment now) {
  JobRecord& record = state_[name];
  auto owed = std::exchange(record.owed, std::nullopt);
  const bool cut_off = std::exchange(record.running, false);
  entry.killed = cut_off || record.exit_code.value_or(0) > kSignalled || (owed && owed->lease_left);
  if (owed && cut_off) ++owed->attempt;
  const bool again = owed && may_resume(entry, *owed, now);
  if (cut_off) {
    record.exit_code = kCutOff;
    base::log_warning("{}: run {} was cut off{}", name, record.run_id,
                      again ? "; it is run again" : "");
  } else if (owed && !again) {
    base::log_warning("{}: the run for {} {}", name, base::format_time(owed->scheduled),
                      owed->begun ? "was stopped, and is not begun again"
                                  : "is given up: nobody was there to start it");
  }
  if (!again) return;
  const Due due{.scheduled = owed->scheduled,
                .attempt = owed->attempt,
                .since = now.boot,
                .after_kill = entry.killed,
                .begun = owed->begun};
  if (owed->attempt == 1 || cut_off) {
    entry.due = due;
  } else {
    entry.retry = due;
    entry.retry->since += retry_delay(entry.job, options_.host, owed->attempt - 1);
  }
}

/// What had begun is tried again as often as a failed run, or once if the job makes up for missed
/// times; what had not may still be in time.
bool Planner::may_resume(const Entry& entry, const JobRecord::Owed& owed, Moment now) {
  const std::int64_t attempts = 1 + std::max<std::int64_t>(entry.job.retries, entry.job.catch_up);
  if (owed.begun) return attempts > 1 && owed.attempt <= attempts;
  return entry.job.catch_up || now.wall - owed.scheduled <= patience_of(entry.job);
}

void Planner::go_on_from(const std::string& name, Entry& entry, UnixTime wall) {
  state_[name].handled = minus(wall, entry.delay);
  find_next(name, entry);
}

void Planner::find_next(const std::string& name, Entry& entry) {
  entry.next = entry.job.schedule->next(state_[name].handled);
  if (entry.next) *entry.next += std::chrono::ceil<milliseconds>(entry.delay);
}

void Planner::look_for_set_clock(Moment now) {
  const Moment last = std::exchange(last_, now).value_or(now);
  set_by_ = (now.wall - last.wall) - (now.boot - last.boot);
  if (std::chrono::abs(set_by_) <= kPunctual) {
    set_by_ = Duration(0);
    return;
  }
  base::log_warning("the clock was set {} by {}", set_by_.count() > 0 ? "forward" : "back",
                    base::round_duration(std::chrono::abs(set_by_)));
  if (set_by_.count() > 0) return;  // see is_to_run()
  for (auto& [name, entry] : entries_) {
    const bool keeps_past = !entry.job.schedule->follows_clock() && -set_by_ <= kCorrection;
    if (!keeps_past && state_[name].handled > minus(now.wall, entry.delay))
      go_on_from(name, entry, now.wall);
  }
}

std::vector<Run> Planner::start_due(Moment now) {
  if (stopping_) return {};
  look_for_set_clock(now);
  std::vector<std::pair<Duration, std::string>> ready;
  for (auto& [name, entry] : entries_) {
    if (entry.next && now.wall >= *entry.next) pass(name, entry, now);
    if (entry.retry && now.boot >= entry.retry->since && !entry.due)
      entry.due = std::exchange(entry.retry, std::nullopt);
    give_up_waiting(name, entry, now);
    if (entry.due && entry.due->stage == Due::Stage::kReady)
      ready.emplace_back(entry.due->since, name);
  }
  std::sort(ready.begin(), ready.end());
  std::vector<Run> runs;
  for (const auto& [since, name] : ready) {
    Entry& entry = entries_.at(name);
    if (!may_start(name, entry)) continue;
    const Due due = *std::exchange(entry.due, std::nullopt);
    const Run run{.job = name,
                  .file = entry.job.path,
                  .id = record::make_run_id(now.wall),
                  .scheduled = due.scheduled,
                  .attempt = due.attempt,
                  .due = due.since,
                  .may_wait = now.boot < due.since + patience_of(entry.job),
                  .after_kill = due.after_kill};
    JobRecord& record = state_[name];
    record.running = true;
    record.scheduled = due.scheduled;
    record.run_id = run.id;
    record.started = now.wall;
    running_[run.id] = run;
    runs.push_back(run);
  }
  return runs;
}

/// The job's next time has come.
void Planner::pass(const std::string& name, Entry& entry, Moment now) {
  const UnixTime handled = state_[name].handled;
  const UnixTime first = minus(*entry.next, entry.delay);
  const bool runs = is_to_run(entry, handled, now);
  go_on_from(name, entry, now.wall);
  if (runs) {
    const auto latest = entry.job.schedule->last(state_[name].handled);
    make_due(name, entry, latest ? *latest : first, now);
  } else {
    base::log_warning("{}: missed {}", name, base::format_time(first));
  }
}

bool Planner::is_to_run(const Entry& entry, UnixTime handled, Moment now) const {
  if (entry.job.catch_up) return true;
  const UnixTime latest = minus(now.wall, entry.delay);
  const auto recent = entry.job.schedule->next(std::max(handled, latest - kPunctual));
  const bool punctual = recent && *recent <= latest;
  const bool jumped_over = set_by_.count() > 0 && set_by_ <= kCorrection &&
                           !entry.job.schedule->follows_clock() &&
                           now.wall - *entry.next <= set_by_ + kPunctual;
  return punctual || jumped_over;
}

void Planner::make_due(const std::string& name, Entry& entry, UnixTime scheduled, Moment now) {
  const bool lease_is_waited_for = entry.retry && entry.retry->waits_for_lease;
  if (!lease_is_waited_for) entry.retry.reset();  // this run takes its place
  if (entry.due || lease_is_waited_for) {
    Due& waiting = entry.due ? *entry.due : *entry.retry;
    waiting.scheduled = scheduled;
    waiting.attempt = 1;
    base::log_info("{}: {} is one with the run that waits already", name,
                   base::format_time(scheduled));
    return;
  }
  if (running_of(name) > 0 && entry.job.overlap == job::Overlap::kSkip) {
    base::log_warning("{}: {} is passed over: its last run still goes on", name,
                      base::format_time(scheduled));
    return;
  }
  const bool unreachable = unreachable_.contains(entry.job.url);
  entry.due = Due{.scheduled = scheduled,
                  .since = now.boot,
                  .stage = unreachable ? Due::Stage::kWaiting : Due::Stage::kReady,
                  .after_kill = entry.killed};
  if (!unreachable) return;
  state_[name].scheduled = scheduled;
  state_[name].exit_code = kAwaitsRedis;
}

bool Planner::may_start(const std::string& name, const Entry& entry) const {
  if (running_.size() >= options_.max_parallel) return false;
  return entry.job.overlap == job::Overlap::kAllow || running_of(name) == 0;
}

std::size_t Planner::running_of(const std::string& name) const {
  return static_cast<std::size_t>(std::count_if(
      running_.begin(), running_.end(), [&](const auto& run) { return run.second.job == name; }));
}

void Planner::ended(const std::string& run_id, int exit_code, Moment now) {
  const auto found = running_.find(run_id);
  if (found == running_.end()) return;
  const Run run = found->second;
  running_.erase(found);
  JobRecord& record = state_[run.job];
  record.running = running_of(run.job) > 0;
  record.run_id = run.id;
  record.scheduled = run.scheduled;
  record.ended = now.wall;
  record.exit_code = exit_code;
  if (exit_code == static_cast<int>(ExitCode::kDone)) record.succeeded = now.wall;
  const auto found_entry = entries_.find(run.job);
  if (found_entry == entries_.end()) return;
  Entry& entry = found_entry->second;
  const bool no_redis =
      exit_code == kAwaitsRedis || exit_code == static_cast<int>(ExitCode::kNoRedis);
  // Whoever did not come so far knows no more of that lease than before.
  entry.killed = exit_code > kSignalled || (no_redis && run.after_kill);
  if (entry.due) return;
  entry.retry.reset();
  Due due{.scheduled = run.scheduled, .attempt = run.attempt, .since = run.due};
  due.after_kill = entry.killed;
  due.begun = exit_code != kAwaitsRedis;
  const bool in_time = now.boot < due.since + patience_of(entry.job);
  if (stopping_ && (exit_code == static_cast<int>(ExitCode::kStopped) || entry.killed)) {
    entry.due = due;  // for the next daemon
  } else if (exit_code == static_cast<int>(ExitCode::kLockHeld) && run.after_kill) {
    wait_for_lease(run.job, entry, due, now);
  } else if (exit_code == kAwaitsRedis) {
    due.stage = Due::Stage::kWaiting;
    entry.due = due;
  } else if (exit_code == static_cast<int>(ExitCode::kNoRedis) && in_time) {
    due.stage = Due::Stage::kAsked;
    entry.due = due;
  } else if (is_failure(exit_code)) {
    fail(run.job, entry, due, exit_code, now);
  }
}

void Planner::fail(const std::string& name, Entry& entry, Due due, int exit_code, Moment now) {
  state_[name].exit_code = exit_code;
  if (due.attempt > entry.job.retries) return;
  const Duration delay = retry_delay(entry.job, options_.host, due.attempt);
  base::log_warning("{}: {}; retry {} of {} in {}", name, ending_of(exit_code), due.attempt,
                    entry.job.retries, base::round_duration(delay));
  due.since = now.boot + delay;
  due.stage = Due::Stage::kReady;
  ++due.attempt;
  entry.retry = due;
}

/// Nobody renews what a run that was killed has left; after that time, whoever still has it lives.
void Planner::wait_for_lease(const std::string& name, Entry& entry, Due due, Moment now) {
  const Duration delay = entry.job.lease.value_or(Duration(0)) + std::chrono::seconds(1);
  base::log_warning("{}: the run that was killed has left its lease; once more in {}", name,
                    base::round_duration(delay));
  due.since = now.boot + delay;
  due.waits_for_lease = true;
  entry.retry = due;
}

void Planner::give_up_waiting(const std::string& name, Entry& entry, Moment now) {
  if (!entry.due || entry.due->stage == Due::Stage::kReady) return;
  if (now.boot < entry.due->since + patience_of(entry.job)) return;
  base::log_warning("{}: its Redis did not come back within {}", name,
                    base::format_duration(patience_of(entry.job)));
  // It fails, and somebody hears about it.
  entry.due->stage = Due::Stage::kReady;
}

std::set<std::string> Planner::awaited() const {
  std::set<std::string> redises;
  for (const auto& [name, entry] : entries_) {
    if (entry.due && entry.due->stage != Due::Stage::kReady && !stopping_)
      redises.insert(entry.job.url);
  }
  return redises;
}

void Planner::answered(const std::string& redis, bool reachable, Moment now) {
  const bool was_gone = unreachable_.contains(redis);
  if (reachable) {
    unreachable_.erase(redis);
  } else {
    unreachable_.insert(redis);
  }
  for (auto& [name, entry] : entries_) {
    if (entry.job.url != redis || !entry.due || entry.due->stage == Due::Stage::kReady) continue;
    if (!reachable) {
      entry.due->stage = Due::Stage::kWaiting;
    } else if (entry.due->stage == Due::Stage::kWaiting || was_gone) {
      entry.due->stage = Due::Stage::kReady;
    } else {
      // It is there: that it could not be used is the run's own failure.
      const Due due = *std::exchange(entry.due, std::nullopt);
      fail(name, entry, due, static_cast<int>(ExitCode::kNoRedis), now);
    }
  }
}

WakeTime Planner::next_wake() const {
  WakeTime wake;
  const auto earlier = [](auto& time, auto other) {
    if (!time || other < *time) time = other;
  };
  if (stopping_) return wake;
  for (const auto& [name, entry] : entries_) {
    if (entry.next) earlier(wake.wall, *entry.next);
    if (entry.retry && !entry.due) earlier(wake.boot, entry.retry->since);
    if (entry.due && entry.due->stage != Due::Stage::kReady)
      earlier(wake.boot, entry.due->since + patience_of(entry.job));
  }
  return wake;
}

State Planner::state() const {
  State state = state_;
  for (const auto& [name, entry] : entries_) state[name].owed = owed_by(name, entry);
  return state;
}

std::optional<JobRecord::Owed> Planner::owed_by(const std::string& name, const Entry& entry) const {
  if (const auto& due = entry.due ? entry.due : entry.retry) {
    return JobRecord::Owed{.scheduled = due->scheduled,
                           .attempt = due->attempt,
                           .begun = due->begun,
                           .lease_left = due->after_kill || due->waits_for_lease};
  }
  for (const auto& [id, run] : running_) {
    if (run.job == name)
      return JobRecord::Owed{.scheduled = run.scheduled, .attempt = run.attempt, .begun = true};
  }
  return std::nullopt;
}

std::string Planner::status(Moment now) const {
  std::vector<std::string> parts;
  std::set<std::string> names;
  for (const auto& [id, run] : running_) names.insert(run.job);
  if (!names.empty())
    parts.push_back("running: " + base::join(std::vector<std::string>(names.begin(), names.end())));
  if (const auto redises = awaited(); !redises.empty()) parts.emplace_back("waiting for Redis");
  const Entry* first = nullptr;
  for (const auto& [name, entry] : entries_) {
    if (entry.next && (first == nullptr || *entry.next < *first->next)) first = &entry;
  }
  if (first == nullptr) {
    parts.emplace_back("no job has a time to come");
  } else {
    parts.push_back(fmt::format(
        "next: {} in {}", first->job.name,
        base::round_duration(std::max<Duration>(*first->next - now.wall, Duration(0)))));
  }
  return base::join(parts, "; ");
}

}  // namespace moonshift::service
