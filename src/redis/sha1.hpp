#pragma once

#include <string>
#include <string_view>

namespace moonshift::redis {

/// The SHA-1 of `bytes` as 40 lower-case hexadecimal digits: how Redis names a script.
std::string sha1_hex(std::string_view bytes);

}  // namespace moonshift::redis
