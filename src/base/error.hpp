#pragma once

#include <stdexcept>
#include <string>

namespace moonshift::base {

/// What the user gave cannot be used: an argument, a parameter, a job file, a script's declaration.
/// Nothing was changed anywhere when it is thrown.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The run was stopped before its end, on purpose; running it again resumes.
class Aborted : public std::runtime_error {
 public:
  enum class Reason { kDeadline, kSignal, kTooManyFailures, kLeaseLost };

  Aborted(Reason reason, const std::string& what) : std::runtime_error(what), reason_(reason) {}

  Reason reason() const { return reason_; }

 private:
  Reason reason_;
};

}  // namespace moonshift::base
