#pragma once

namespace moonshift::base {

/// What the process says when it ends; the same table stands in README.md and in --help.
enum class ExitCode {
  kDone = 0,         ///< done, and verified
  kFailed = 1,       ///< a script or a step failed
  kBadInput = 2,     ///< bad usage, bad configuration, bad script
  kNoRedis = 3,      ///< Redis cannot be reached, or is not usable
  kStopped = 4,      ///< stopped early; running it again resumes
  kNotVerified = 5,  ///< done, but verification fails
  kLockHeld = 6,     ///< nothing done: another run of this job holds its lock
};

}  // namespace moonshift::base
