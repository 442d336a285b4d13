#pragma once

#include <functional>

#include "job/runner.hpp"

namespace moonshift::cli {

/// What shows a run's progress on standard error: on a terminal one line that is rewritten, else a
/// plain line now and then.
std::function<void(const job::Progress&)> show_progress(bool terminal);

/// Clears the live line, if one is shown.
void end_progress();

}  // namespace moonshift::cli
