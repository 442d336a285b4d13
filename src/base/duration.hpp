#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace moonshift::base {

using Duration = std::chrono::microseconds;

/// Reads `7d`, `1h30m`, `2ms`, `500us`; units w d h m s ms us. Throws ConfigError that names them.
Duration parse_duration(std::string_view text);

/// The shortest exact form that parse_duration reads back: `7d`, `1h30m`, `2ms`.
std::string format_duration(Duration duration);

/// For people, three digits: `850 us`, `2.31 ms`, `2.31 s`, `3m 12s`.
std::string describe_duration(Duration duration);

/// A time to wait, in units that matter: `12d5h`, `5h30m`, `40s`.
std::string round_duration(Duration duration);

}  // namespace moonshift::base
