#include "lua/stack.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "lua/script_error.hpp"

namespace moonshift::lua {

namespace {

constexpr int kMostNesting = 100;

Value::List list_at(lua_State* lua, int index, std::size_t size, int depth) {
  Value::List list;
  for (std::size_t i = 1; i <= size; ++i) {
    lua_rawgeti(lua, index, static_cast<int>(i));
    list.push_back(value_at(lua, lua_gettop(lua), depth + 1));
    lua_pop(lua, 1);
  }
  return list;
}

Value::Record record_at(lua_State* lua, int index, int depth) {
  Value::Record record;
  lua_pushnil(lua);
  while (lua_next(lua, index) != 0) {
    lua_pushvalue(lua,
                  -2);  // lua_tolstring would change a number key in place and confuse lua_next
    record[std::string(string_at(lua, -1))] = value_at(lua, lua_gettop(lua) - 1, depth + 1);
    lua_pop(lua, 2);
  }
  return record;
}

}  // namespace

void push(lua_State* lua, const Value& value) {
  luaL_checkstack(lua, 4, "data nested too deep");
  if (const auto* flag = value.as<bool>()) {
    lua_pushboolean(lua, *flag ? 1 : 0);
  } else if (const auto* number = value.as<double>()) {
    lua_pushnumber(lua, *number);
  } else if (const auto* text = value.as<std::string>()) {
    push(lua, std::string_view(*text));
  } else if (const auto* list = value.as<Value::List>()) {
    lua_createtable(lua, static_cast<int>(list->size()), 0);
    for (std::size_t i = 0; i < list->size(); ++i) {
      push(lua, (*list)[i]);
      lua_rawseti(lua, -2, static_cast<int>(i + 1));
    }
  } else if (const auto* record = value.as<Value::Record>()) {
    lua_createtable(lua, 0, static_cast<int>(record->size()));
    for (const auto& [name, field] : *record) {
      push(lua, std::string_view(name));
      push(lua, field);
      lua_rawset(lua, -3);
    }
  } else {
    lua_pushnil(lua);
  }
}

Value value_at(lua_State* lua, int index, int depth) {
  if (depth > kMostNesting) throw ScriptError("the tables are nested too deep");
  luaL_checkstack(lua, 6, "data nested too deep");
  switch (lua_type(lua, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
      return {};
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, index) != 0;
    case LUA_TNUMBER:
      return lua_tonumber(lua, index);
    case LUA_TSTRING:
      return std::string(string_at(lua, index));
    case LUA_TTABLE:
      if (const std::size_t size = lua_objlen(lua, index); size > 0) {
        return list_at(lua, index, size, depth);
      }
      return record_at(lua, index, depth);
    default:
      throw ScriptError(std::string("a ") + luaL_typename(lua, index) + " is not plain data");
  }
}

std::string format_number(double number) {
  std::array<char, 64> text;
  // Most are whole, and their text is the same without the cost of printf.
  if (std::abs(number) < 1e15 && number != 0 && number == std::trunc(number)) {
    const auto end = std::to_chars(text.begin(), text.end(), static_cast<std::int64_t>(number)).ptr;
    return {text.begin(), end};
  }
  const int length = std::snprintf(text.data(), text.size(), "%.17g", number);
  return std::string(text.data(), static_cast<std::size_t>(length));
}

std::vector<std::string_view> command_at(lua_State* lua, int first, int last,
                                         std::vector<std::string>& numbers) {
  if (last < first)
    throw ScriptError("Please specify at least one argument for this redis lib call");
  std::vector<std::string_view> command;
  const auto count = static_cast<std::size_t>(last - first + 1);
  command.reserve(count);
  numbers.reserve(count);  // the views must not move
  for (int index = first; index <= last; ++index) {
    switch (lua_type(lua, index)) {
      case LUA_TSTRING:
        command.push_back(string_at(lua, index));
        break;
      case LUA_TNUMBER:
        numbers.push_back(format_number(lua_tonumber(lua, index)));
        command.push_back(numbers.back());
        break;
      default:
        throw ScriptError("Lua redis lib command arguments must be strings or integers");
    }
  }
  return command;
}

}  // namespace moonshift::lua
