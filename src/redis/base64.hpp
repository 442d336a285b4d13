#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moonshift::redis {

/// Base64 with `+`, `/` and padding, on one line (RFC 4648, section 4).
std::string base64_encode(std::string_view bytes);

/// The bytes that encode to exactly `text`; nothing if there are none: blanks, missing padding and
/// bits that are set in the padding are refused.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace moonshift::redis
