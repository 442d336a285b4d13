#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/text.hpp"
#include "record/report.hpp"
#include "record/table.hpp"

namespace moonshift::record {

namespace {

using base::describe_bytes;
using base::describe_duration;
using base::ExitCode;

std::string with_unit(std::int64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", with_commas(count), count == 1 ? one : many);
}

std::string value_text(const lua::Value& value) {
  if (const auto* text = value.as<std::string>()) return base::printable(*text, 60);
  if (const auto* number = value.as<double>()) return fmt::format("{}", *number);
  if (const auto* flag = value.as<bool>()) return *flag ? "true" : "false";
  std::string joined;
  if (const auto* list = value.as<lua::Value::List>()) {
    for (const lua::Value& element : *list)
      joined += (joined.empty() ? "" : ",") + value_text(element);
  }
  return joined;
}

std::string item_text(const task::Item& item) {
  std::string text;
  for (const std::string& word : item)
    text += (text.empty() ? "" : " ") + base::printable(word, 80);
  return text;
}

std::string verification_line(const task::RunResult& run) {
  const task::Verification& verification = run.verification;
  if (!verification.done) return "not verified";
  const bool kept = run.tally.outcomes.contains(task::ItemResult::kKept),
             failed = run.tally.failed > 0;
  if (verification.holds && run.limit_reached)
    return "verified: find emits none of them again; there may be more";
  std::string line = verification.holds ? "verified: find emits nothing more" : "NOT verified:";
  if (verification.holds && (kept || failed)) {
    line += kept && failed ? " but what was kept or failed"
            : kept         ? " but what was kept"
                           : " but what failed";
  }
  if (run.script_error) line += " the task's verify failed";
  if (verification.remaining > 0) {
    line += fmt::format(" {} there", with_unit(verification.remaining, "treated item is still",
                                               "treated items are still"));
  }
  if (!verification.task_says.empty()) line += " " + verification.task_says;
  if (verification.arrived > 0) {
    line += fmt::format("; {} came during the run and {} treated too",
                        with_unit(verification.arrived, "item", "items"),
                        verification.arrived == 1 ? "was" : "were");
  }
  return line;
}

/// What each step cost, and how a bystander's PING felt meanwhile.
std::string cost_table(const std::vector<StepReport>& steps) {
  Table table(
      {"step", "engine", "time", "commands", "batches", "freed", "PING p50", "p99", "worst"});
  for (const StepReport& step : steps) {
    const redis::Latency& latency = step.latency;
    const auto measured = [&](base::Duration duration) {
      return latency.samples == 0 ? "-" : describe_duration(duration);
    };
    table.add({step.run.script, std::string(task::name_of(step.run.engine)),
               describe_duration(step.run.duration), with_commas(step.run.traffic.commands),
               with_commas(step.run.batches), step.run.dry_run ? "-" : describe_bytes(step.freed),
               measured(latency.p50), measured(latency.p99), measured(latency.worst)});
  }
  return table.to_text();
}

std::string stopped_line(base::Aborted::Reason reason) {
  switch (reason) {
    case base::Aborted::Reason::kDeadline:
      return "stopped: the time was up; run it again to go on";
    case base::Aborted::Reason::kSignal:
      return "stopped by a signal; run it again to go on";
    case base::Aborted::Reason::kLeaseLost:
      return "stopped: the job's lease was lost; run it again to go on";
    case base::Aborted::Reason::kTooManyFailures:
      break;
  }
  return "stopped: too many items failed (--max-failures)";
}

void append_traceback(std::string& text, const std::string& traceback) {
  std::istringstream lines(traceback);
  for (std::string line; std::getline(lines, line);)
    text += fmt::format("      at {}\n", base::printable(line, 300));
}

void append_failures(std::string& text, const task::Tally& tally) {
  for (const task::Failure& failure : tally.failures) {
    text += fmt::format("  failed: {}\n    {}\n", item_text(failure.item),
                        base::printable(failure.error, 600));
    append_traceback(text, failure.traceback);
  }
  const auto hidden = tally.failed - static_cast<std::int64_t>(tally.failures.size());
  if (hidden > 0) text += fmt::format("  and {} more failed\n", with_commas(hidden));
}

void append_items(std::string& text, std::string_view title, const std::vector<task::Item>& items) {
  for (const task::Item& item : items) text += fmt::format("  {} {}\n", title, item_text(item));
}

void append_step(std::string& text, const StepReport& step) {
  const task::RunResult& run = step.run;
  text += describe_step(run) + "\n";
  text += fmt::format("  {}\n", describe_tally(run));
  for (const auto& [reason, count] : run.tally.reasons) {
    text += fmt::format("    {} {}\n", with_commas(count), base::printable(reason));
  }
  append_items(text, "would treat", run.sample);
  append_failures(text, run.tally);
  if (run.script_error) {
    text += fmt::format("  error: {}\n", base::printable(*run.script_error, 1000));
    append_traceback(text, run.traceback);
  }
  if (run.redis_error) text += fmt::format("  error: {}\n", *run.redis_error);
  if (run.stopped) text += fmt::format("  {}\n", stopped_line(*run.stopped));
  if (!run.stopped_in.empty())
    text += fmt::format("    it was in {}\n", base::printable(run.stopped_in, 300));
  if (!run.dry_run) text += fmt::format("  {}\n", verification_line(run));
  append_items(text, "still there:", run.verification.examples);
}

}  // namespace

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string describe_tally(const task::RunResult& run) {
  if (run.dry_run)
    return fmt::format("found {}{}; nothing was changed (dry run)", with_commas(run.tally.found),
                       run.limit_reached ? ", the limit" : "");
  if (run.tally.found == 0 && run.tally.failed == 0 && run.verification.done)
    return "nothing to do";
  std::string line = fmt::format("found {}{}:", with_commas(run.tally.found),
                                 run.limit_reached ? ", the limit" : "");
  for (const auto& [outcome, count] : run.tally.outcomes) {
    if (count > 0) line += fmt::format(" {} {},", with_commas(count), outcome);
  }
  if (run.tally.interrupted > 0)
    line += fmt::format(" {} interrupted,", with_commas(run.tally.interrupted));
  return fmt::format("{} {} failed", line, with_commas(run.tally.failed));
}

std::string describe_step(const task::RunResult& run) {
  std::string text = run.script;
  for (const auto& [name, value] : run.parameters)
    text += fmt::format(" {}={}", name, value_text(value));
  return text;
}

std::string describe(ExitCode exit_code) {
  switch (exit_code) {
    case ExitCode::kDone:
      return "done, and verified";
    case ExitCode::kFailed:
      return "a script or a step failed";
    case ExitCode::kBadInput:
      return "bad usage, configuration or script";
    case ExitCode::kNoRedis:
      return "Redis cannot be reached, or is not usable";
    case ExitCode::kStopped:
      return "stopped early; running it again resumes";
    case ExitCode::kNotVerified:
      return "done, but verification fails";
    case ExitCode::kLockHeld:
      break;
  }
  return "nothing done: another run holds the lock";
}

std::string findings_to_text(const std::vector<health::Finding>& findings) {
  if (findings.empty()) return "";
  Table table({"level", "check", "what", "value"});
  for (const health::Finding& finding : findings) {
    std::string value = base::printable(finding.value);
    if (!finding.limit.empty()) value += fmt::format(" (limit {})", base::printable(finding.limit));
    if (!finding.hint.empty()) value += ": " + base::printable(finding.hint);
    table.add({std::string(health::name_of(finding.level)), finding.check, finding.what,
               std::move(value)});
  }
  return table.to_text();
}

std::string ending_of(const Report& report) {
  const bool dry = !report.steps.empty() && report.steps.front().run.dry_run;
  if (dry && report.exit_code == ExitCode::kDone) return "a dry run: nothing was changed";
  if (report.steps.empty() && report.exit_code == ExitCode::kDone) return "the checks hold";
  return describe(report.exit_code);
}

std::string to_text(const Report& report) {
  std::string text;
  if (report.is_job) {
    text += fmt::format("{}{}{}\n", base::printable(report.name),
                        report.description.empty() ? "" : ": ",
                        base::printable(report.description, 1000));
  }
  text += report.redis;
  if (report.before) {
    text += fmt::format(", {}, {}, {}", report.before->version,
                        with_unit(report.before->keys, "key", "keys"),
                        describe_bytes(report.before->memory));
  }
  text += "\n";
  if (!report.steps.empty()) text += "\n";
  for (const StepReport& step : report.steps) {
    append_step(text, step);
    text += "\n";
  }
  if (!report.steps.empty()) text += cost_table(report.steps);
  if (!report.findings.empty()) text += "\n" + findings_to_text(report.findings);
  if (report.before && report.after && !report.steps.empty()) {
    text += fmt::format("\nkeys {} -> {}, memory {} -> {}\n", with_commas(report.before->keys),
                        with_commas(report.after->keys), describe_bytes(report.before->memory),
                        describe_bytes(report.after->memory));
  }
  for (const std::string& error : report.errors) {
    const auto end = std::min(error.find('\n'), error.size());
    text +=
        fmt::format("error: {}\n", base::printable(std::string_view(error).substr(0, end), 1000));
    append_traceback(text, error.substr(std::min(end + 1, error.size())));
  }
  text += fmt::format("run {} took {}: {}\n", report.id, describe_duration(report.duration),
                      ending_of(report));
  return text;
}

}  // namespace moonshift::record
