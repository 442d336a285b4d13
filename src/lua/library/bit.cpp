#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <lua.hpp>
#include <string_view>

#include "lua/library/argument.hpp"
#include "lua/library/library.hpp"
#include "lua/stack.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

using Bits = std::uint32_t;

/// As Lua BitOp documents it: modulo 2^32, with fractions rounded. Beyond 2^51 it leaves the result
/// open; there, the addition that it rounds by has lost the lowest bits, and this does the same,
/// which LuaJIT's `bit` does not.
Bits check_bits(lua_State* lua, int index) {
  constexpr double kRounder = 0x1.8p52;
  return static_cast<Bits>(std::bit_cast<std::uint64_t>(check_number(lua, index) + kRounder));
}

int result(lua_State* lua, Bits bits) {
  lua_pushinteger(lua, static_cast<std::int32_t>(bits));
  return 1;
}

template <Bits (*function)(Bits)>
int unary(lua_State* lua) {
  return result(lua, function(check_bits(lua, 1)));
}

Bits same(Bits bits) { return bits; }
Bits invert(Bits bits) { return ~bits; }
Bits swap_bytes(Bits bits) { return __builtin_bswap32(bits); }

template <Bits (*function)(Bits, Bits)>
int combine(lua_State* lua) {
  Bits bits = check_bits(lua, 1);
  // From the last: it is the one that an error names if several are wrong.
  for (int index = lua_gettop(lua); index > 1; --index)
    bits = function(bits, check_bits(lua, index));
  return result(lua, bits);
}

Bits both(Bits a, Bits b) { return a & b; }
Bits either(Bits a, Bits b) { return a | b; }
Bits different(Bits a, Bits b) { return a ^ b; }

template <Bits (*function)(Bits, int)>
int shift(lua_State* lua) {
  const Bits bits = check_bits(lua, 1);
  return result(lua, function(bits, static_cast<int>(check_bits(lua, 2) & 31)));
}

Bits shift_left(Bits bits, int by) { return bits << by; }
Bits shift_right(Bits bits, int by) { return bits >> by; }
Bits shift_with_sign(Bits bits, int by) {
  return static_cast<Bits>(static_cast<std::int32_t>(bits) >> by);
}

/// Of a negative number of digits, capital ones.
int to_hex(lua_State* lua) {
  constexpr std::int64_t kMostDigits = 8;
  Bits bits = check_bits(lua, 1);
  const std::int64_t asked =
      lua_isnone(lua, 2) ? kMostDigits : static_cast<std::int32_t>(check_bits(lua, 2));
  const std::string_view alphabet = asked < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  std::array<char, kMostDigits> digits;
  const auto first = digits.end() - std::min(asked < 0 ? -asked : asked, kMostDigits);
  for (auto digit = digits.end(); digit != first; bits >>= 4) *--digit = alphabet[bits & 15];
  push(lua, std::string_view(first, digits.end()));
  return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"arshift", trampoline<shift<shift_with_sign>>},
    {"band", trampoline<combine<both>>},
    {"bnot", trampoline<unary<invert>>},
    {"bor", trampoline<combine<either>>},
    {"bswap", trampoline<unary<swap_bytes>>},
    {"bxor", trampoline<combine<different>>},
    {"lshift", trampoline<shift<shift_left>>},
    {"rol", trampoline<shift<std::rotl<Bits>>>},
    {"ror", trampoline<shift<std::rotr<Bits>>>},
    {"rshift", trampoline<shift<shift_right>>},
    {"tobit", trampoline<unary<same>>},
    {"tohex", trampoline<to_hex>},
    {nullptr, nullptr},
};

}  // namespace

void push_bit_library(lua_State* lua) {
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
}

}  // namespace moonshift::lua
