#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>

namespace moonshift::redis {

struct Version {
  int major = 0, minor = 0, patch = 0;

  /// "7.0.15"; parts that are missing are 0.
  static Version parse(const std::string& text) {
    Version version;
    std::sscanf(text.c_str(), "%d.%d.%d", &version.major, &version.minor, &version.patch);
    return version;
  }

  /// As scripts find it in REDIS_VERSION_NUM.
  int number() const { return major * 65536 + minor * 256 + patch; }

  std::string text() const { return fmt::format("{}.{}.{}", major, minor, patch); }

  auto operator<=>(const Version&) const = default;
};

}  // namespace moonshift::redis
