#include <fmt/format.h>

#include "base/text.hpp"
#include "record/report.hpp"

namespace moonshift::record {

namespace {

using health::Level;

std::string first_line(const std::string& text) {
  return base::printable(text.substr(0, text.find('\n')), 1000);
}

std::string item_text(const task::Item& item) {
  std::vector<std::string> words;
  for (const std::string& word : item) words.push_back(base::printable(word, 80));
  return base::join(words, " ");
}

std::string finding_text(const health::Finding& finding) {
  std::string text = fmt::format("{}: {}: {} {}", health::name_of(finding.level), finding.check,
                                 finding.what, base::printable(finding.value));
  if (!finding.limit.empty()) text += fmt::format(" (limit {})", base::printable(finding.limit));
  if (!finding.hint.empty()) text += ": " + base::printable(finding.hint);
  return text;
}

void append_errors(std::vector<std::string>& errors, const task::RunResult& run) {
  const auto add = [&](const std::string& what) {
    errors.push_back(fmt::format("{}: {}", run.script, first_line(what)));
  };
  if (run.script_error) add(*run.script_error);
  if (run.redis_error) add(*run.redis_error);
  for (const task::Failure& failure : run.tally.failures)
    add(fmt::format("{}: {}", item_text(failure.item), failure.error));
  const auto hidden = run.tally.failed - static_cast<std::int64_t>(run.tally.failures.size());
  if (hidden > 0) add(fmt::format("and {} more failed", with_commas(hidden)));
}

}  // namespace

Level verdict_of(const Report& report) {
  const bool well =
      report.exit_code == base::ExitCode::kDone || report.exit_code == base::ExitCode::kLockHeld;
  return well ? health::verdict_of(report.findings) : Level::kCritical;
}

std::string summary_of(const Report& report) {
  std::string text = report.name;
  if (!report.redis.empty()) text += " on " + report.redis;
  text += ": " + ending_of(report);
  for (const StepReport& step : report.steps)
    text += fmt::format("; {}: {}", step.run.script, describe_tally(step.run));
  const auto errors = errors_of(report);
  if (!errors.empty()) text += "; " + base::printable(errors.front(), 300);
  return text;
}

std::vector<std::string> errors_of(const Report& report) {
  std::vector<std::string> errors;
  for (const std::string& error : report.errors) errors.push_back(first_line(error));
  for (const StepReport& step : report.steps) append_errors(errors, step.run);
  for (const health::Finding& finding : report.findings) {
    if (finding.level == Level::kCritical) errors.push_back(finding_text(finding));
  }
  return errors;
}

}  // namespace moonshift::record
