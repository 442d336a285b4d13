#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace moonshift::base {

/// An amount of memory or data.
struct Bytes {
  std::int64_t count = 0;

  auto operator<=>(const Bytes&) const = default;
};

/// Reads `100`, `64kb`, `100mb`, `1gb` (powers of 1024, as redis.conf has it) and `64k`, `100m`
/// (powers of 1000). Throws ConfigError that names the units.
Bytes parse_bytes(std::string_view text);

/// For people, three digits: `812 B`, `3.41 MB`; negative amounts keep their sign.
std::string describe_bytes(Bytes bytes);

}  // namespace moonshift::base
