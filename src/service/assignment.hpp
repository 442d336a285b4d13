#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace moonshift::service {

/// What the daemon tells the process of a run, in its environment.
struct Assignment {
  std::string run_id;
  base::UnixTime scheduled{};  ///< the time that it is for
  bool may_wait = false;       ///< see Run
  int killed_by = 0;  ///< the signal that killed the run: nothing is left to do but to tell of it
};

/// `NAME=value`, each.
std::vector<std::string> environment_of(const Assignment& assignment);

/// Nothing if this process was not started by a daemon. What this process starts will not find it
/// any more.
std::optional<Assignment> take_assignment();

/// For the process of a run: it is told to stop if the daemon ends without doing so, and nobody
/// reads its log any more.
void end_with_daemon();

}  // namespace moonshift::service
