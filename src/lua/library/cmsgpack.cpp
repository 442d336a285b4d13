// msgpack-cxx's adaptors for Boost's types are of no use here.
#ifndef MSGPACK_NO_BOOST
#define MSGPACK_NO_BOOST
#endif

#include <algorithm>
#include <bit>
#include <climits>
#include <cmath>
#include <cstdint>
#include <lua.hpp>
#include <msgpack/pack.hpp>
#include <string_view>
#include <vector>

#include "lua/library/argument.hpp"
#include "lua/library/library.hpp"
#include "lua/library/protected.hpp"
#include "lua/library/steps.hpp"
#include "lua/library/text_buffer.hpp"
#include "lua/stack.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

/// Deeper tables are written as nil.
constexpr int kMostNesting = 16;

/// What msgpack-cxx writes to. Tables that share others can stand for far more than there is
/// memory.
class Output : public TextBuffer {
 public:
  using TextBuffer::TextBuffer;
  void write(const char* bytes, std::size_t size) { append({bytes, size}); }
};

class Packer {
 public:
  explicit Packer(lua_State* lua) : lua_(lua), steps_(lua), output_(lua), packer_(output_) {}

  /// Pops the value on top of the stack.
  void pack(int depth = 0) {
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING: {
        const std::string_view text = string_at(lua_, -1);
        packer_.pack_str(static_cast<std::uint32_t>(text.size()));
        packer_.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
        break;
      }
      case LUA_TNUMBER:
        pack_number(lua_tonumber(lua_, -1));
        break;
      case LUA_TBOOLEAN:
        lua_toboolean(lua_, -1) != 0 ? packer_.pack_true() : packer_.pack_false();
        break;
      case LUA_TTABLE:
        replace_protected(lua_, -1);
        if (depth < kMostNesting) {
          pack_table(depth);
          break;
        }
        [[fallthrough]];
      default:
        packer_.pack_nil();
    }
    lua_pop(lua_, 1);
    steps_.count();
  }

  void push_result() const { output_.push(); }

 private:
  void pack_number(double number) {
    if (number >= -0x1p63 && number < 0x1p63 && number == std::trunc(number)) {
      packer_.pack_int64(static_cast<std::int64_t>(number));
    } else if (const auto single = static_cast<float>(number); number == single) {
      put('\xCA', std::bit_cast<std::uint32_t>(single));
    } else {
      put('\xCB', std::bit_cast<std::uint64_t>(number));
    }
  }

  /// Not by the packer: it would make integers of whole numbers beyond int64.
  template <typename Bits>
  void put(char type, Bits bits) {
    output_.append(type);
    for (int shift = 8 * sizeof(Bits) - 8; shift >= 0; shift -= 8)
      output_.append(static_cast<char>(bits >> shift));
  }

  void pack_table(int depth) {
    if (is_array()) {
      const auto size = static_cast<int>(lua_objlen(lua_, -1));
      packer_.pack_array(static_cast<std::uint32_t>(size));
      for (int i = 1; i <= size; ++i) {
        lua_rawgeti(lua_, -1, i);
        pack(depth + 1);
      }
      return;
    }
    packer_.pack_map(count_entries());
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      lua_pushvalue(lua_, -2);
      pack(depth + 1);
      pack(depth + 1);
    }
  }

  /// Whether the keys are 1 to n.
  bool is_array() {
    int count = 0;
    int greatest = 0;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      lua_pop(lua_, 1);
      const double key = lua_type(lua_, -1) == LUA_TNUMBER ? lua_tonumber(lua_, -1) : 0;
      if (key < 1 || key > INT_MAX || key != std::trunc(key)) {
        lua_pop(lua_, 1);
        return false;
      }
      greatest = std::max(greatest, static_cast<int>(key));
      ++count;
      steps_.count();
    }
    return greatest == count;
  }

  std::uint32_t count_entries() {
    std::uint32_t count = 0;
    for (lua_pushnil(lua_); lua_next(lua_, -2) != 0; lua_pop(lua_, 1)) {
      ++count;
      steps_.count();
    }
    return count;
  }

  lua_State* lua_;
  Steps steps_;
  Output output_;
  msgpack::packer<Output> packer_;
};

int pack(lua_State* lua) {
  const int arguments = lua_gettop(lua);
  if (arguments == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
  // What the deepest table needs, besides the arguments.
  if (lua_checkstack(lua, std::max(arguments, 4 * kMostNesting)) == 0)
    return luaL_argerror(lua, 0, "Too many arguments for MessagePack pack.");
  Packer packer(lua);
  for (int index = 1; index <= arguments; ++index) {
    lua_pushvalue(lua, index);
    packer.pack();
  }
  packer.push_result();
  return 1;
}

/// msgpack-cxx has no part in this: it tells of a binary or extension value only when all of its
/// bytes are there, and Redis refuses one at its first byte.
class Unpacker {
 public:
  Unpacker(lua_State* lua, std::string_view input) : lua_(lua), steps_(lua), rest_(input) {}

  bool at_end() const { return rest_.empty(); }
  std::int64_t remaining() const { return static_cast<std::int64_t>(rest_.size()); }

  /// Decodes the next value and pushes it. Values may be nested as deep as Lua's stack allows, too
  /// deep for recursion.
  void unpack() {
    do {
      const std::size_t depth = open_.size();
      begin_value();
      if (open_.size() == depth) end_value();
    } while (!open_.empty());
  }

 private:
  /// A table that waits for more.
  struct Table {
    std::uint32_t left;    ///< elements, or pairs
    std::uint32_t index;   ///< of the element that comes next; 0 in a map
    bool has_key = false;  ///< of a pair, and waits for its value
  };

  void begin_value() {
    const auto type = take_number<std::uint8_t>();
    luaL_checkstack(lua_, 1,
                    "too many return values at once; use unpack_one or unpack_limit instead.");
    steps_.count();
    if (type <= 0x7F) return lua_pushinteger(lua_, type);
    if (type <= 0x8F) return unpack_map(type & 0xF);
    if (type <= 0x9F) return unpack_array(type & 0xF);
    if (type <= 0xBF) return unpack_text(type & 0x1F);
    if (type >= 0xE0) return lua_pushinteger(lua_, static_cast<std::int8_t>(type));
    switch (type) {
      case 0xC0:
        return lua_pushnil(lua_);
      case 0xC2:
      case 0xC3:
        return lua_pushboolean(lua_, type & 1);
      case 0xCA:
        return lua_pushnumber(lua_, std::bit_cast<float>(take_number<std::uint32_t>()));
      case 0xCB:
        return lua_pushnumber(lua_, std::bit_cast<double>(take_number<std::uint64_t>()));
      case 0xCC:
        return unpack_integer<std::uint8_t>();
      case 0xCD:
        return unpack_integer<std::uint16_t>();
      case 0xCE:
        return unpack_integer<std::uint32_t>();
      case 0xCF:  // with its highest bit as a sign
      case 0xD3:
        return unpack_integer<std::int64_t>();
      case 0xD0:
        return unpack_integer<std::int8_t>();
      case 0xD1:
        return unpack_integer<std::int16_t>();
      case 0xD2:
        return unpack_integer<std::int32_t>();
      case 0xD9:
        return unpack_text(take_number<std::uint8_t>());
      case 0xDA:
        return unpack_text(take_number<std::uint16_t>());
      case 0xDB:
        return unpack_text(take_number<std::uint32_t>());
      case 0xDC:
        return unpack_array(take_number<std::uint16_t>());
      case 0xDD:
        return unpack_array(take_number<std::uint32_t>());
      case 0xDE:
        return unpack_map(take_number<std::uint16_t>());
      case 0xDF:
        return unpack_map(take_number<std::uint32_t>());
      default:
        luaL_error(lua_, "Bad data format in input.");
    }
  }

  std::string_view take(std::size_t size) {
    if (rest_.size() < size) luaL_error(lua_, "Missing bytes in input.");
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  template <typename Number>
  Number take_number() {
    std::uint64_t bits = 0;
    for (const char byte : take(sizeof(Number)))
      bits = bits << 8 | static_cast<unsigned char>(byte);
    return static_cast<Number>(bits);
  }

  template <typename Number>
  void unpack_integer() {
    lua_pushnumber(lua_, static_cast<double>(take_number<Number>()));
  }

  void unpack_text(std::size_t size) { push(lua_, take(size)); }

  // What stands on the stack meanwhile is the same as in Redis, so that its limit is reached at the
  // same depth.

  void unpack_array(std::uint32_t size) {
    lua_newtable(lua_);
    luaL_checkstack(lua_, 1, "in function mp_decode_to_lua_array");
    if (size == 0) return;
    lua_pushinteger(lua_, 1);
    open_.push_back({size, 1});
  }

  void unpack_map(std::uint32_t size) {
    lua_newtable(lua_);
    if (size > 0) open_.push_back({size, 0});
  }

  /// Puts the value on top of the stack into its table; that too, if it is complete then; and so
  /// on.
  void end_value() {
    while (!open_.empty() && completes(open_.back())) open_.pop_back();
  }

  bool completes(Table& table) {
    const bool is_map = table.index == 0;
    if (is_map && !table.has_key) {
      table.has_key = true;
      return false;
    }
    lua_rawset(lua_, -3);
    table.has_key = false;
    if (--table.left == 0) return true;
    if (!is_map) lua_pushinteger(lua_, ++table.index);
    return false;
  }

  lua_State* lua_;
  Steps steps_;
  std::string_view rest_;
  std::vector<Table> open_;
};

/// With neither a limit nor an offset, it unpacks everything and does not say how far it came.
int unpack_part(lua_State* lua, std::int64_t limit, std::int64_t offset) {
  const std::string_view input = check_text(lua, 1);
  const auto size = static_cast<std::int64_t>(input.size());
  if (offset < 0 || limit < 0) {
    return luaL_error(lua, "Invalid request to unpack with offset of %d and limit of %d.",
                      static_cast<int>(offset), static_cast<int>(size));
  }
  if (offset > size) {
    return luaL_error(lua, "Start offset %d greater than input length %d.",
                      static_cast<int>(offset), static_cast<int>(size));
  }
  const bool all = limit == 0 && offset == 0;
  Unpacker unpacker(lua, input.substr(static_cast<std::size_t>(offset)));
  int count = 0;
  for (; !unpacker.at_end() && (all || count < limit); ++count) unpacker.unpack();
  if (all) return count;
  luaL_checkstack(lua, 1, "in function mp_unpack_full");
  lua_pushinteger(lua, unpacker.at_end() ? -1 : size - unpacker.remaining());
  lua_insert(lua, -(count + 1));
  return count + 1;
}

int unpack(lua_State* lua) { return unpack_part(lua, 0, 0); }

void drop_all_but_first(lua_State* lua) {
  if (lua_gettop(lua) > 1) lua_settop(lua, 1);
}

int unpack_one(lua_State* lua) {
  const std::int64_t offset = optional_integer(lua, 2, 0);
  drop_all_but_first(lua);
  return unpack_part(lua, 1, offset);
}

int unpack_limit(lua_State* lua) {
  const std::int64_t limit = check_integer(lua, 2);
  const std::int64_t offset = optional_integer(lua, 3, 0);
  drop_all_but_first(lua);
  return unpack_part(lua, limit, offset);
}

constexpr luaL_Reg kFunctions[] = {
    {"pack", trampoline<pack>},
    {"unpack", trampoline<unpack>},
    {"unpack_limit", trampoline<unpack_limit>},
    {"unpack_one", trampoline<unpack_one>},
    {nullptr, nullptr},
};

struct Text {
  const char* name;
  const char* value;
};

/// Scripts can ask for the name and the version of the library that this one behaves as.
constexpr Text kTexts[] = {
    {"_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"},
    {"_DESCRIPTION", "MessagePack C implementation for Lua"},
    {"_NAME", "cmsgpack"},
    {"_VERSION", "lua-cmsgpack 0.4.0"},
};

}  // namespace

void push_cmsgpack_library(lua_State* lua) {
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
  for (const Text& text : kTexts) {
    lua_pushstring(lua, text.value);
    lua_setfield(lua, -2, text.name);
  }
}

}  // namespace moonshift::lua
