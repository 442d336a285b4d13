#include "record/journal.hpp"

#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/journal.hpp"

namespace moonshift::record {

namespace {

base::LogLevel level_of(base::ExitCode exit_code) {
  switch (exit_code) {
    case base::ExitCode::kDone:
    case base::ExitCode::kLockHeld:
      return base::LogLevel::kInfo;
    case base::ExitCode::kStopped:
      return base::LogLevel::kWarning;
    default:
      return base::LogLevel::kError;
  }
}

}  // namespace

void tell_journal(const Report& report) {
  const auto verdict = health::name_of(verdict_of(report));
  base::JournalFields fields{
      {"MOONSHIFT_RUN", report.id},
      {"MOONSHIFT_VERDICT", std::string(verdict)},
      {"MOONSHIFT_EXIT_CODE", fmt::format("{}", static_cast<int>(report.exit_code))}};
  if (report.is_job) fields["MOONSHIFT_JOB"] = report.name;
  base::send_to_journal(level_of(report.exit_code),
                        fmt::format("{}: {}, after {}", report.name, ending_of(report),
                                    base::describe_duration(report.duration)),
                        fields);
}

}  // namespace moonshift::record
