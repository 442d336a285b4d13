#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "lua/value.hpp"

namespace moonshift::task {

/// One entry of a script's `params` table.
struct Parameter {
  enum class Type { kString, kInteger, kNumber, kBoolean, kDuration, kTime, kBytes, kGlob, kEnum };

  std::string name;
  Type type = Type::kString;
  bool list = false;  ///< several values: a list in a job file, repeated on the command line
  bool required = false;
  lua::Value fallback;               ///< the default as it was written, or nil
  std::vector<std::string> choices;  ///< of an enum
  std::string help;

  /// `duration`, `glob, several`, `completed | failed`
  std::string describe_type() const;
};

/// What the user gave: text from a command line, or typed values from a job file.
using GivenParameters = std::map<std::string, lua::Value>;

/// The declared parameters of one script.
class Parameters {
 public:
  Parameters() = default;

  /// Reads the `params` table. Throws ConfigError that names script and parameter.
  Parameters(const std::string& script, const lua::Value& declared);

  /// The values a script sees as `p`: given ones, checked and converted, and defaults. Durations
  /// are milliseconds, times are milliseconds since 1970 (a time may be written as a duration
  /// before `now`), bytes are bytes. Throws ConfigError that names the parameter and lists the
  /// known ones.
  lua::Value::Record resolve(const GivenParameters& given, base::UnixTime now = {}) const;

  /// Every parameter as the user would write it, defaults included.
  GivenParameters written(const GivenParameters& given) const;

  const std::vector<Parameter>& declared() const { return declared_; }

 private:
  const Parameter* find(const std::string& name) const;

  std::string script_;
  std::vector<Parameter> declared_;
};

}  // namespace moonshift::task
