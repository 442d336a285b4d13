#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/exit_code.hpp"
#include "health/finding.hpp"
#include "redis/latency_probe.hpp"
#include "task/run.hpp"

namespace moonshift::record {

/// The server at one moment.
struct ServerSnapshot {
  std::string version;  ///< `Redis 7.0.15`
  base::Bytes memory;   ///< used_memory, without clients' buffers and the like
  std::int64_t keys = 0;
};

/// A step that was run, or could not be.
struct StepReport {
  task::RunResult run;
  redis::Latency latency;  ///< a bystander's PING during the step
  base::Bytes freed;       ///< used_memory before less after; below 0 if others wrote more
  base::ExitCode exit_code = base::ExitCode::kDone;
};

/// One run of a job, or of one script by hand: all that is told about it, in whichever form.
struct Report {
  std::string id;
  std::string name;         ///< of the job, or of the script
  std::string description;  ///< of the job
  bool is_job = false;
  std::string redis;  ///< the URL, without its password
  base::UnixTime started{};
  base::Duration duration{0};
  std::optional<ServerSnapshot> before;
  std::optional<ServerSnapshot> after;
  std::vector<StepReport> steps;
  std::vector<health::Finding> findings;
  std::vector<std::string> errors;  ///< why it could not go on
  base::ExitCode exit_code = base::ExitCode::kDone;
};

/// How the run ended, in one word: the worst of its findings, and critical if it failed. Nothing is
/// wrong with one that left the work to another host.
health::Level verdict_of(const Report& report);

/// All that went wrong, a line each.
std::vector<std::string> errors_of(const Report& report);

/// One line for a person who knows nothing yet: what, where, how it ended, why.
std::string summary_of(const Report& report);

/// The JSON object that README.md documents; one line.
std::string to_json(const Report& report);

/// What --json prints when there was no run: {"error": "...", "exit_code": N}.
std::string error_to_json(const std::string& error, base::ExitCode exit_code);

/// The closing tables, for a person.
std::string to_text(const Report& report);

/// `bullmq/clean state=failed older_than=30d`
std::string describe_step(const task::RunResult& run);

/// `found 36: 30 removed, 6 kept, 0 failed`
std::string describe_tally(const task::RunResult& run);

/// Why the run ended as it did, in a few words: `done, and verified`.
std::string describe(base::ExitCode exit_code);

/// How the run ended, in a few words.
std::string ending_of(const Report& report);

/// Findings as a table.
std::string findings_to_text(const std::vector<health::Finding>& findings);

/// Sorts by time, and is different for each run: 20261101T023000Z-5f3a1c.
std::string make_run_id(base::UnixTime time);

/// 1234567 as 1,234,567.
std::string with_commas(std::int64_t number);

}  // namespace moonshift::record
