#pragma once

#include <optional>
#include <string>

namespace moonshift::lua {

/// A number as Lua 5.1 writes it: "%.14g" by the C library. LuaJIT has a writer of its own, which
/// rounds ties in the last digit up and does not know `-nan`.
std::string number_text(double number);

/// The shortest digits that are read back as `number`, laid out as Redis does since 7.2 (redis
/// deps/fpconv).
std::string shortest_text(double number);

/// A number as Lua 5.1 reads it from a string: what strtod() takes, with space around it. LuaJIT
/// also takes "0b11", and nothing with a NUL after the digits.
std::optional<double> parse_number(const char* text);

}  // namespace moonshift::lua
