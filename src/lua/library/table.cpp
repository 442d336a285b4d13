#include <algorithm>
#include <cstdint>
#include <lua.hpp>
#include <string_view>

#include "lua/library/argument.hpp"
#include "lua/library/library.hpp"
#include "lua/library/protected.hpp"
#include "lua/library/steps.hpp"
#include "lua/library/text_buffer.hpp"
#include "lua/stack.hpp"
#include "lua/state.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

// A read-only table is empty where its length is asked for, as the real ones of Redis are, which
// have names alone. So only what may write where nothing is, insert, has to refuse them.

int check_length(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  return static_cast<int>(lua_objlen(lua, 1));
}

int concat(lua_State* lua) {
  const std::string_view separator =
      lua_isnoneornil(lua, 2) ? std::string_view() : check_text(lua, 2);
  luaL_checktype(lua, 1, LUA_TTABLE);
  const int first = optional_int(lua, 3, 1);
  const int last = lua_isnoneornil(lua, 4) ? check_length(lua) : check_int(lua, 4);
  TextBuffer text(lua);
  Steps steps(lua);
  for (std::int64_t i = first; i <= last; ++i) {
    lua_rawgeti(lua, 1, static_cast<int>(i));
    if (lua_isstring(lua, -1) == 0) {
      return luaL_error(lua, "invalid value (%s) at index %d in table for 'concat'",
                        luaL_typename(lua, -1), static_cast<int>(i));
    }
    make_text(lua, -1);
    text.append(string_at(lua, -1));
    lua_pop(lua, 1);
    if (i < last) text.append(separator);
    steps.count();
  }
  text.push();
  return 1;
}

int insert(lua_State* lua) {
  int end = check_length(lua) + 1;
  int position = end;
  switch (lua_gettop(lua)) {
    case 2:
      break;
    case 3:
      position = check_int(lua, 2);
      end = std::max(end, position);
      break;
    default:
      return luaL_error(lua, "wrong number of arguments to 'insert'");
  }
  refuse_protected(lua, 1);
  Steps steps(lua);
  for (; end > position; --end) {
    lua_rawgeti(lua, 1, end - 1);
    lua_rawseti(lua, 1, end);
    steps.count();
  }
  lua_rawseti(lua, 1, position);
  return 0;
}

int remove(lua_State* lua) {
  const int end = check_length(lua);
  int position = optional_int(lua, 2, end);
  if (position < 1 || position > end) return 0;
  lua_rawgeti(lua, 1, position);
  Steps steps(lua);
  for (; position < end; ++position) {
    lua_rawgeti(lua, 1, position + 1);
    lua_rawseti(lua, 1, position);
    steps.count();
  }
  lua_pushnil(lua);
  lua_rawseti(lua, 1, end);
  return 1;
}

/// Lua 5.1's quicksort, step by step: scripts can see the order of the comparisons, and which wrong
/// order functions are told from right ones. The table is at index 1, the order function or nil
/// at 2.
class Sorter {
 public:
  explicit Sorter(lua_State* lua) : lua_(lua), steps_(lua), by_function_(!lua_isnil(lua, 2)) {}

  void sort(int lower, int upper) {
    while (lower < upper) {
      put_in_order(lower, upper);
      if (upper - lower == 1) break;
      const int middle = (lower + upper) / 2;
      if (!put_in_order(lower, middle)) put_in_order(middle, upper);
      if (upper - lower == 2) break;
      const int border = partition(lower, middle, upper);
      // The smaller part by recursion, so that it does not go deep.
      if (border - lower < upper - border) {
        sort(lower, border - 1);
        lower = border + 1;
      } else {
        sort(border + 1, upper);
        upper = border - 1;
      }
    }
  }

 private:
  void get(int i) { lua_rawgeti(lua_, 1, i); }

  /// Pops two values, the upper one into t[i].
  void set(int i, int j) {
    lua_rawseti(lua_, 1, i);
    lua_rawseti(lua_, 1, j);
  }

  /// `a` and `b` are indices from the top of the stack.
  bool less(int a, int b) {
    steps_.count();
    if (!by_function_) return lua_lessthan(lua_, a, b) != 0;
    lua_pushvalue(lua_, 2);
    lua_pushvalue(lua_, a - 1);
    lua_pushvalue(lua_, b - 2);
    lua_call(lua_, 2, 1);
    const bool result = lua_toboolean(lua_, -1) != 0;
    lua_pop(lua_, 1);
    return result;
  }

  /// Swaps t[i] and t[j] if the second is less; whether it was.
  bool put_in_order(int i, int j) {
    get(i);
    get(j);
    if (less(-1, -2)) {
      set(i, j);
      return true;
    }
    lua_pop(lua_, 2);
    return false;
  }

  /// Moves what is less than t[middle] to its left and the rest to its right; where it is then. The
  /// three are in order already.
  int partition(int lower, int middle, int upper) {
    get(middle);
    lua_pushvalue(lua_, -1);  // the pivot stays below
    get(upper - 1);
    set(middle, upper - 1);
    int i = lower;
    int j = upper - 1;
    for (;;) {
      while (get(++i), less(-1, -2)) {
        if (i > upper) luaL_error(lua_, "invalid order function for sorting");
        lua_pop(lua_, 1);
      }
      while (get(--j), less(-3, -1)) {
        if (j < lower) luaL_error(lua_, "invalid order function for sorting");
        lua_pop(lua_, 1);
      }
      if (j < i) break;
      set(i, j);
    }
    lua_pop(lua_, 3);
    get(upper - 1);
    get(i);
    set(upper - 1, i);
    return i;
  }

  lua_State* lua_;
  Steps steps_;
  bool by_function_;
};

int sort(lua_State* lua) {
  const int length = check_length(lua);
  if (!lua_isnoneornil(lua, 2)) luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_settop(lua, 2);
  const NestedCall nested(lua);
  Sorter(lua).sort(1, length);
  return 0;
}

int greatest_number(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_settop(lua, 1);
  replace_protected(lua, 1);
  double greatest = 0;
  Steps steps(lua);
  for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
    if (lua_type(lua, -2) == LUA_TNUMBER) greatest = std::max(greatest, lua_tonumber(lua, -2));
    steps.count();
  }
  lua_pushnumber(lua, greatest);
  return 1;
}

int length(lua_State* lua) {
  lua_pushinteger(lua, check_length(lua));
  return 1;
}

int set_length(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  return luaL_error(lua, "'setn' is obsolete");
}

/// Calls the function at index 2 with the key and the value on top of the stack, which stay there;
/// whether it returned something, which is then on top.
bool ends_with(lua_State* lua) {
  lua_pushvalue(lua, 2);
  lua_pushvalue(lua, -3);
  lua_pushvalue(lua, -3);
  lua_call(lua, 2, 1);
  if (!lua_isnil(lua, -1)) return true;
  lua_pop(lua, 1);
  return false;
}

int for_each(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  replace_protected(lua, 1);
  const NestedCall nested(lua);
  Steps steps(lua);
  for (lua_pushnil(lua); lua_next(lua, 1) != 0; lua_pop(lua, 1)) {
    if (ends_with(lua)) return 1;
    steps.count();
  }
  return 0;
}

int for_each_element(lua_State* lua) {
  const int length = check_length(lua);
  luaL_checktype(lua, 2, LUA_TFUNCTION);
  const NestedCall nested(lua);
  Steps steps(lua);
  for (int i = 1; i <= length; ++i) {
    lua_pushinteger(lua, i);
    lua_rawgeti(lua, 1, i);
    if (ends_with(lua)) return 1;
    lua_pop(lua, 2);
    steps.count();
  }
  return 0;
}

constexpr luaL_Reg kFunctions[] = {
    {"concat", trampoline<concat>},
    {"foreach", trampoline<for_each>},
    {"foreachi", trampoline<for_each_element>},
    {"getn", trampoline<length>},
    {"insert", trampoline<insert>},
    {"maxn", trampoline<greatest_number>},
    {"remove", trampoline<remove>},
    {"setn", trampoline<set_length>},
    {"sort", trampoline<sort>},
    {nullptr, nullptr},
};

}  // namespace

void push_table_library(lua_State* lua) {
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
}

}  // namespace moonshift::lua
