#pragma once

#include "record/report.hpp"

namespace moonshift::record {

/// How the run ended, as one entry of systemd's journal, with MOONSHIFT_RUN=, MOONSHIFT_VERDICT=
/// and MOONSHIFT_EXIT_CODE=, and MOONSHIFT_JOB= of a job. Does nothing if standard error does not
/// go there.
void tell_journal(const Report& report);

}  // namespace moonshift::record
