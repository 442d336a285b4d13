#include "base/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <vector>

namespace moonshift::base {

namespace {

JournalWriter writer = nullptr;

std::mutex fields_mutex;
JournalFields process_fields;
thread_local JournalFields thread_fields;

int priority(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return LOG_DEBUG;
    case LogLevel::kInfo:
      return LOG_INFO;
    case LogLevel::kWarning:
      return LOG_WARNING;
    case LogLevel::kError:
      return LOG_ERR;
  }
  return LOG_INFO;
}

bool send(LogLevel level, const std::string& message, const JournalFields& fields) {
  if (writer == nullptr) return false;
  std::vector<std::string> entry{fmt::format("MESSAGE={}", message),
                                 fmt::format("PRIORITY={}", priority(level))};
  for (const auto& [name, value] : fields) entry.push_back(fmt::format("{}={}", name, value));
  return writer(entry);
}

}  // namespace

void set_journal_writer(JournalWriter given) { writer = given; }

bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

void set_journal_fields(const JournalFields& fields) {
  const std::lock_guard lock(fields_mutex);
  process_fields = fields;
}

JournalScope::JournalScope(const JournalFields& fields) { thread_fields = fields; }

JournalScope::~JournalScope() { thread_fields.clear(); }

bool send_to_journal(LogLevel level, const std::string& message, const JournalFields& fields) {
  if (!stderr_is_journal()) return false;
  JournalFields all = fields;
  all.insert(thread_fields.begin(), thread_fields.end());
  {
    const std::lock_guard lock(fields_mutex);
    all.insert(process_fields.begin(), process_fields.end());
  }
  return send(level, message, all);
}

void tell_at_boot(LogLevel level, const std::string& message) {
  const std::string name = "moonshift-generator";
  if (send(level, message, {{"SYSLOG_IDENTIFIER", name}})) return;
  const int log = ::open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (log < 0) return;
  const std::string line = fmt::format("{}{}: {}\n", level_prefix(level), name, message);
  [[maybe_unused]] const auto written = ::write(log, line.data(), line.size());
  ::close(log);
}

std::string level_prefix(LogLevel level) { return fmt::format("<{}>", priority(level)); }

}  // namespace moonshift::base
