#include <cmath>
#include <cstdint>
#include <limits>
#include <lua.hpp>
#include <new>
#include <numbers>

#include "lua/library/argument.hpp"
#include "lua/library/library.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

int result(lua_State* lua, double number) {
  lua_pushnumber(lua, number);
  return 1;
}

// LuaJIT's own versions differ in what they make of NaN, of signs and of further arguments.

template <double (*function)(double)>
int unary(lua_State* lua) {
  return result(lua, function(check_number(lua, 1)));
}

template <double (*function)(double, double)>
int binary(lua_State* lua) {
  const double second = check_number(lua, 2);  // the one that Redis names if both are wrong
  return result(lua, function(check_number(lua, 1), second));
}

constexpr double kDegree = std::numbers::pi / 180;

double to_degrees(double radians) { return radians / kDegree; }
double to_radians(double degrees) { return degrees * kDegree; }

int split_exponent(lua_State* lua) {
  int exponent = 0;
  lua_pushnumber(lua, std::frexp(check_number(lua, 1), &exponent));
  lua_pushinteger(lua, exponent);
  return 2;
}

int join_exponent(lua_State* lua) {
  const int exponent = check_int(lua, 2);
  return result(lua, std::ldexp(check_number(lua, 1), exponent));
}

int split_fraction(lua_State* lua) {
  double whole = 0;
  const double fraction = std::modf(check_number(lua, 1), &whole);
  lua_pushnumber(lua, whole);
  lua_pushnumber(lua, fraction);
  return 2;
}

/// NaN is neither less nor greater: it stays if it is the first, and is passed over after that.
template <bool (*better)(double, double)>
int best(lua_State* lua) {
  double best = check_number(lua, 1);
  for (int index = 2; index <= lua_gettop(lua); ++index) {
    const double number = check_number(lua, index);
    if (better(number, best)) best = number;
  }
  return result(lua, best);
}

bool less(double a, double b) { return a < b; }
bool greater(double a, double b) { return a > b; }

/// The 48-bit linear congruential generator of drand48(3), as Redis seeds it (redis src/rand.c):
/// the same sequence on every machine.
struct Generator {
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << 48) - 1;
  static constexpr std::uint64_t kLowBits = 0x330E;  ///< of every seed

  std::uint64_t state = 0x1234ABCD330E;

  void seed(int number) { state = (static_cast<std::uint64_t>(number) << 16 | kLowBits) & kMask; }

  /// From 0 up to, and not including, 1.
  double next() {
    constexpr std::uint64_t kMost = 0x7FFFFFFF;
    state = (state * 0x5DEECE66D + 0xB) & kMask;
    return static_cast<double>((state >> 17) % kMost) / static_cast<double>(kMost);
  }

  static Generator& of(lua_State* lua) {
    return *static_cast<Generator*>(lua_touserdata(lua, lua_upvalueindex(1)));
  }
};

int random(lua_State* lua) {
  const double number = Generator::of(lua).next();
  switch (lua_gettop(lua)) {
    case 0:
      return result(lua, number);
    case 1: {
      const int upper = check_int(lua, 1);
      luaL_argcheck(lua, upper >= 1, 1, "interval is empty");
      return result(lua, std::floor(number * upper) + 1);
    }
    case 2: {
      const int lower = check_int(lua, 1);
      const int upper = check_int(lua, 2);
      luaL_argcheck(lua, lower <= upper, 2, "interval is empty");
      // In 32 bits, as C has it: the widest intervals wrap around.
      const auto width = static_cast<std::uint32_t>(upper) - static_cast<std::uint32_t>(lower) + 1;
      return result(lua, std::floor(number * static_cast<std::int32_t>(width)) + lower);
    }
    default:
      return luaL_error(lua, "wrong number of arguments");
  }
}

int seed_random(lua_State* lua) {
  Generator::of(lua).seed(check_int(lua, 1));
  return 0;
}

constexpr luaL_Reg kFunctions[] = {
    {"abs", trampoline<unary<::fabs>>},     {"acos", trampoline<unary<::acos>>},
    {"asin", trampoline<unary<::asin>>},    {"atan", trampoline<unary<::atan>>},
    {"atan2", trampoline<binary<::atan2>>}, {"ceil", trampoline<unary<::ceil>>},
    {"cos", trampoline<unary<::cos>>},      {"cosh", trampoline<unary<::cosh>>},
    {"deg", trampoline<unary<to_degrees>>}, {"exp", trampoline<unary<::exp>>},
    {"floor", trampoline<unary<::floor>>},  {"fmod", trampoline<binary<::fmod>>},
    {"frexp", trampoline<split_exponent>},  {"ldexp", trampoline<join_exponent>},
    {"log", trampoline<unary<::log>>},      {"log10", trampoline<unary<::log10>>},
    {"max", trampoline<best<greater>>},     {"min", trampoline<best<less>>},
    {"mod", trampoline<binary<::fmod>>},    {"modf", trampoline<split_fraction>},
    {"pow", trampoline<binary<::pow>>},     {"rad", trampoline<unary<to_radians>>},
    {"sin", trampoline<unary<::sin>>},      {"sinh", trampoline<unary<::sinh>>},
    {"sqrt", trampoline<unary<::sqrt>>},    {"tan", trampoline<unary<::tan>>},
    {"tanh", trampoline<unary<::tanh>>},    {nullptr, nullptr},
};

}  // namespace

void push_math_library(lua_State* lua) {
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
  lua_pushnumber(lua, std::numbers::pi);
  lua_setfield(lua, -2, "pi");
  lua_pushnumber(lua, std::numeric_limits<double>::infinity());
  lua_setfield(lua, -2, "huge");
  new (lua_newuserdata(lua, sizeof(Generator))) Generator;
  lua_pushvalue(lua, -1);
  lua_pushcclosure(lua, trampoline<random>, 1);
  lua_setfield(lua, -3, "random");
  lua_pushcclosure(lua, trampoline<seed_random>, 1);
  lua_setfield(lua, -2, "randomseed");
}

}  // namespace moonshift::lua
