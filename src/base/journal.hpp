#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/log.hpp"

namespace moonshift::base {

/// Fields of an entry of systemd's journal, beside its message: MOONSHIFT_JOB -> nightly.
using JournalFields = std::map<std::string, std::string>;

/// Writes one entry, each of its fields as `NAME=value`. False if the journal cannot be reached.
using JournalWriter = bool (*)(const std::vector<std::string>& entry);

/// For the layer that knows systemd, before anything is logged. Without one nothing reaches the
/// journal but by standard error.
void set_journal_writer(JournalWriter writer);

/// Whether standard error goes to the journal: systemd tells a service so by $JOURNAL_STREAM.
bool stderr_is_journal();

/// What every later entry of this process tells besides its own fields; from any thread.
void set_journal_fields(const JournalFields& fields);

/// Fields of the entries that this thread makes, its log lines too, as long as this lives; one at a
/// time.
class JournalScope {
 public:
  explicit JournalScope(const JournalFields& fields);
  ~JournalScope();
  JournalScope(const JournalScope&) = delete;
  JournalScope& operator=(const JournalScope&) = delete;
};

/// Writes one entry. False, and nothing is written, if standard error does not go to the journal,
/// or the journal cannot be reached.
bool send_to_journal(LogLevel level, const std::string& message, const JournalFields& fields = {});

/// For a generator, which runs before there are services: into the journal if it is there already,
/// else into the kernel's log, from which the journal takes it. Never throws.
void tell_at_boot(LogLevel level, const std::string& message);

/// `<3>`: how a line on standard error tells the journal its level (sd-daemon(3)).
std::string level_prefix(LogLevel level);

}  // namespace moonshift::base
