#include "lua/conversion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "lua/library/argument.hpp"
#include "lua/library/number_text.hpp"
#include "lua/stack.hpp"
#include "lua/state.hpp"

namespace moonshift::lua {

using redis::Reply;
using Type = Reply::Type;

namespace {

void push_verbatim(lua_State* lua, std::string_view text) {
  constexpr std::size_t kFormat = 3;  // "txt:" stands before the text
  lua_createtable(lua, 0, 1);
  push_marked(lua, "format", text.substr(0, kFormat));
  push(lua, text.substr(std::min(text.size(), kFormat + 1)));
  lua_setfield(lua, -2, "string");
  lua_setfield(lua, -2, "verbatim_string");
}

/// Pushes {map = {...}} or {set = {...}}.
void push_collection(lua_State* lua, const Reply& reply, Protocol protocol) {
  const bool is_map = reply.type == Type::kMap;
  const std::size_t step = is_map ? 2 : 1;
  lua_createtable(lua, 0, 1);
  lua_newtable(lua);
  for (std::size_t i = 0; i + step <= reply.elements.size(); i += step) {
    push_reply(lua, reply.elements[i], protocol);
    if (is_map) {
      push_reply(lua, reply.elements[i + 1], protocol);
    } else {
      lua_pushboolean(lua, 1);
    }
    lua_rawset(lua, -3);
  }
  lua_setfield(lua, -2, is_map ? "map" : "set");
}

Reply text_reply(Type type, std::string_view text) { return {type, 0, std::string(text), {}}; }

Reply nil_reply() { return {Type::kNil, 0, "", {}}; }

/// With blanks for line breaks.
std::string spaced(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return text;
}

/// Turns one script's result into a reply, within what memory is left.
class Encoder {
 public:
  Encoder(lua_State* lua, Protocol protocol, const redis::Product& product)
      : lua_(lua), protocol_(protocol), product_(product), left_(State::of(lua).free_memory()) {}

  /// Of the value on top of the stack, which it pops. Without recursion: tables can be nested
  /// thousands deep.
  Reply encode() {
    Reply reply;
    begin(reply);
    while (!open_.empty()) go_on();
    return reply;
  }

 private:
  /// A table on the stack whose elements are being encoded.
  struct Open {
    enum class Kind { kArray, kMap, kSet };

    Reply* reply;
    Kind kind = Kind::kArray;
    int index = 0;             ///< of the last element of an array
    bool has_key = false;      ///< the last key of a map or set is on top
    bool value_waits = false;  ///< and above it its value, which was not encoded yet
  };

  /// Encodes the value on top and pops it; but a table that has elements stays, and is opened.
  void begin(Reply& reply) {
    spend(sizeof(Reply));
    if (lua_checkstack(lua_, 4) == 0) {
      reply = Reply::error("ERR reached lua stack limit");
    } else if (lua_istable(lua_, -1)) {
      if (begin_table(reply)) return;
    } else {
      reply = encode_plain();
    }
    lua_pop(lua_, 1);
  }

  void go_on() {
    Open& table = open_.back();
    if (table.kind == Open::Kind::kArray ? push_element(table) : push_entry(table)) {
      begin(table.reply->elements.emplace_back());
      return;
    }
    // {map = {...}} and {set = {...}} are two tables.
    lua_pop(lua_, table.kind == Open::Kind::kArray ? 1 : 2);
    open_.pop_back();
  }

  bool push_element(Open& table) {
    lua_rawgeti(lua_, -1, ++table.index);
    if (!lua_isnil(lua_, -1)) return true;
    lua_pop(lua_, 1);
    return false;
  }

  bool push_entry(Open& table) {
    if (std::exchange(table.value_waits, false)) return true;
    if (!std::exchange(table.has_key, true)) lua_pushnil(lua_);
    if (lua_next(lua_, -2) == 0) return false;
    if (table.kind == Open::Kind::kSet) lua_pop(lua_, 1);
    table.value_waits = table.kind == Open::Kind::kMap;
    lua_pushvalue(lua_, table.value_waits ? -2 : -1);
    return true;
  }

  Reply encode_plain() {
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING:
        spend(lua_objlen(lua_, -1));
        return text_reply(Type::kString, string_at(lua_, -1));
      case LUA_TNUMBER:
        return {Type::kInteger, to_integer(lua_tonumber(lua_, -1)), "", {}};
      case LUA_TBOOLEAN:
        if (lua_toboolean(lua_, -1) == 0 && protocol_ == Protocol::kResp2) return nil_reply();
        return {Type::kInteger, lua_toboolean(lua_, -1), "", {}};
      default:
        return nil_reply();
    }
  }

  void spend(std::size_t bytes) {
    if (bytes > left_) {
      lua_pushstring(lua_, "not enough memory");
      lua_error(lua_);
    }
    left_ -= bytes;
    if (++steps_ % 4096 == 0) State::of(lua_).stop_if_due(lua_);
  }

  /// Pushes the field of the table on top and returns true if it is of that type.
  bool push_field(const char* name, int type) {
    lua_pushstring(lua_, name);
    lua_rawget(lua_, -2);
    if (lua_type(lua_, -1) == type) return true;
    lua_pop(lua_, 1);
    return false;
  }

  std::string take_text() {
    spend(lua_objlen(lua_, -1));
    std::string text(string_at(lua_, -1));
    lua_pop(lua_, 1);
    return text;
  }

  /// Up to the first NUL, without line ends before it.
  static std::string_view trimmed(const std::string& text) {
    const std::string_view line = text.c_str();
    return line.substr(0, line.find_last_not_of("\r\n") + 1);
  }

  /// True if it opened the table on top, which has elements; else the reply is complete.
  bool begin_table(Reply& reply) {
    if (auto marked = take_marked()) {
      reply = std::move(*marked);
      return false;
    }
    reply.type = Type::kArray;
    const auto kind = push_field("map", LUA_TTABLE)   ? Open::Kind::kMap
                      : push_field("set", LUA_TTABLE) ? Open::Kind::kSet
                                                      : Open::Kind::kArray;
    open_.push_back({&reply, kind});
    return true;
  }

  /// What the table on top is if it has one of the fields that mark a status, an error...
  std::optional<Reply> take_marked() {
    if (push_field("err", LUA_TSTRING)) return Reply::error(one_line(trimmed(take_text())));
    if (push_field("ok", LUA_TSTRING)) return text_reply(Type::kStatus, one_line(take_text()));
    if (push_field("double", LUA_TNUMBER)) {
      const double number = lua_tonumber(lua_, -1);
      lua_pop(lua_, 1);
      const bool shortest = product_.version >= redis::Version{7, 2, 0};
      return text_reply(Type::kString,
                        shortest ? shortest_text(number) : fmt::format("{:.17g}", number));
    }
    if (push_field("big_number", LUA_TSTRING))
      return text_reply(Type::kString, spaced(take_text()));
    if (push_field("verbatim_string", LUA_TTABLE)) {
      std::optional<Reply> reply;
      if (push_field("format", LUA_TSTRING)) {
        lua_pop(lua_, 1);
        if (push_field("string", LUA_TSTRING)) reply = text_reply(Type::kString, take_text());
      }
      lua_pop(lua_, 1);
      return reply;
    }
    return std::nullopt;
  }

  lua_State* lua_;
  Protocol protocol_;
  const redis::Product& product_;
  std::size_t left_;
  unsigned steps_ = 0;
  std::vector<Open> open_;  ///< the outermost first
};

}  // namespace

void push_marked(lua_State* lua, const char* field, std::string_view text) {
  lua_createtable(lua, 0, 1);
  push(lua, text);
  lua_setfield(lua, -2, field);
}

void push_reply(lua_State* lua, const Reply& reply, Protocol protocol) {
  luaL_checkstack(lua, 6, "reply nested too deep");
  switch (reply.type) {
    case Type::kNil:
      if (protocol == Protocol::kResp3) {
        lua_pushnil(lua);
      } else {
        lua_pushboolean(lua, 0);
      }
      break;
    case Type::kInteger:
      lua_pushnumber(lua, static_cast<lua_Number>(reply.integer));
      break;
    case Type::kBoolean:
      lua_pushboolean(lua, reply.integer != 0 ? 1 : 0);
      break;
    case Type::kString:
      push(lua, std::string_view(reply.text));
      break;
    case Type::kStatus:
      push_marked(lua, "ok", reply.text);
      break;
    case Type::kError: {
      const bool has_code = reply.text.find(' ') != std::string::npos;
      push_marked(lua, "err", has_code ? reply.text : "ERR " + reply.text);
      lua_pushboolean(lua, 1);
      lua_setfield(lua, -2, "ignore_error_stats_update");
      break;
    }
    case Type::kBigNumber:
      push_marked(lua, "big_number", reply.text);
      break;
    case Type::kVerbatim:
      push_verbatim(lua, reply.text);
      break;
    case Type::kDouble:
      lua_createtable(lua, 0, 1);
      lua_pushnumber(lua, std::strtod(reply.text.c_str(), nullptr));
      lua_setfield(lua, -2, "double");
      break;
    case Type::kMap:
    case Type::kSet:
      push_collection(lua, reply, protocol);
      break;
    case Type::kArray:
      lua_createtable(lua, static_cast<int>(reply.elements.size()), 0);
      for (std::size_t i = 0; i < reply.elements.size(); ++i) {
        push_reply(lua, reply.elements[i], protocol);
        lua_rawseti(lua, -2, static_cast<int>(i + 1));
      }
      break;
  }
}

Reply reply_at(lua_State* lua, int index, Protocol protocol, const redis::Product& product) {
  lua_pushvalue(lua, index);
  return Encoder(lua, protocol, product).encode();
}

std::string one_line(std::string_view text) {
  return spaced(std::string(text.substr(0, text.find('\0'))));
}

}  // namespace moonshift::lua
