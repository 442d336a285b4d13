#include <array>
#include <climits>
#include <cmath>
#include <cstdint>
#include <lua.hpp>
#include <string_view>

#include "lua/library/argument.hpp"
#include "lua/library/library.hpp"
#include "lua/library/protected.hpp"
#include "lua/library/steps.hpp"
#include "lua/stack.hpp"
#include "lua/state.hpp"
#include "lua/trampoline.hpp"

/// lua-cjson, which has no header of its own.
extern "C" int luaopen_cjson(lua_State* lua);

namespace moonshift::lua {

namespace {

// lua-cjson takes its buffers from malloc and ends the process when there is nothing left, counts
// their sizes in an int, and forgets the decoder's one when Lua runs out of memory. So before it
// begins, both ways are measured.

/// A buffer that grows to this by doubling is still counted right.
constexpr std::size_t kLongestText = std::size_t{1} << 30;

constexpr auto kEscapedSizes = [] {
  std::array<std::uint8_t, 256> sizes{};
  for (std::size_t c = 0; c < sizes.size(); ++c) sizes[c] = c < 0x20 || c == 0x7F ? 6 : 1;
  for (const unsigned char c : {'\b', '\t', '\n', '\f', '\r', '"', '\\', '/'}) sizes[c] = 2;
  return sizes;
}();

struct EncoderSettings {
  bool sparse_to_object;
  int sparse_ratio;
  int sparse_safe;
  int most_depth;
  int precision;
};

/// Measures the text that a value will have: goes through it in the order of lua-cjson, up to where
/// that will give up.
class EncodedSize {
 public:
  EncodedSize(lua_State* lua, const EncoderSettings& settings, std::size_t limit)
      : lua_(lua), steps_(lua), settings_(settings), limit_(limit) {}

  /// Whether so much of the value at `index` as has a text is within the limit.
  bool fits(int index) {
    const int top = lua_gettop(lua_);
    lua_pushvalue(lua_, index);
    add_value(0);
    lua_settop(lua_, top);
    return size_ <= limit_;
  }

 private:
  // What begins with add_ measures what is on top of the stack. False ends it all.

  bool add(std::size_t size) {
    size_ += size;
    return size_ <= limit_;
  }

  bool add_value(int depth) {
    steps_.count();
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING:
        return add_text();
      case LUA_TNUMBER:
        return add_number();
      case LUA_TTABLE:
        // The tables that scripts cannot change hold functions, though lua-cjson sees them empty.
        if (push_protected_metatable(lua_, -1))
          luaL_error(lua_, "Cannot serialise function: type not supported");
        return add_table(depth + 1);
      case LUA_TFUNCTION:
      case LUA_TTHREAD:
      case LUA_TUSERDATA:
        return false;
      default:
        return add(sizeof("false") - 1);
    }
  }

  bool add_text() {
    const std::string_view text = string_at(lua_, -1);
    // lua-cjson makes room for the most that so many bytes can become.
    if (size_ + 6 * text.size() + 2 > kLongestText) return add(kLongestText);
    if (text.size() >= kLongString) State::of(lua_).stop_if_due(lua_);
    std::size_t size = 2;
    for (const char c : text) size += kEscapedSizes[static_cast<unsigned char>(c)];
    return add(size);
  }

  /// No less than what "%.<precision>g" makes of it.
  bool add_number() {
    const double number = lua_tonumber(lua_, -1);
    const double magnitude = std::abs(number);
    int digits = 1;
    for (double bound = 10; digits <= settings_.precision && magnitude >= bound; bound *= 10)
      ++digits;
    const bool plain = digits <= settings_.precision && magnitude == std::trunc(magnitude);
    if (!plain) digits = settings_.precision + static_cast<int>(sizeof(".e-308")) - 1;
    return add(static_cast<std::size_t>(digits) + (number < 0 ? 1 : 0));
  }

  bool add_table(int depth) {
    if (depth > settings_.most_depth || lua_checkstack(lua_, 3) == 0) return false;
    const Shape shape = shape_of_table();
    if (shape.fails || !add(sizeof("{}") - 1)) return false;
    return shape.length > 0 ? add_elements(shape.length, depth) : add_members(depth);
  }

  bool add_elements(int length, int depth) {
    for (int i = 1; i <= length; ++i) {
      lua_rawgeti(lua_, -1, i);
      if (!add_value(depth) || !add(sizeof(",") - 1)) return false;
      lua_pop(lua_, 1);
    }
    return true;
  }

  bool add_members(int depth) {
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      lua_pushvalue(lua_, -2);
      const bool is_text = lua_type(lua_, -1) == LUA_TSTRING;
      if (!(is_text ? add_text() : lua_type(lua_, -1) == LUA_TNUMBER && add_number())) return false;
      lua_pop(lua_, 1);
      if (!add_value(depth) || !add(sizeof(R"("":,)") - 1)) return false;
      lua_pop(lua_, 1);
    }
    return true;
  }

  struct Shape {
    int length = 0;  ///< 0 for an object
    bool fails = false;
  };

  /// An array has positive integers as keys alone, and not too few of them.
  Shape shape_of_table() {
    int greatest = 0;
    unsigned count = 0;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      lua_pop(lua_, 1);
      const double key = lua_type(lua_, -1) == LUA_TNUMBER ? lua_tonumber(lua_, -1) : 0;
      if (key < 1 || key != std::trunc(key)) {
        lua_pop(lua_, 1);
        return {};
      }
      // Converted as x86-64 does it: of a great key, a small one.
      if (key > greatest) greatest = key > INT_MAX ? INT_MIN : static_cast<int>(key);
      ++count;
      steps_.count();
    }
    const int enough = static_cast<int>(count * static_cast<unsigned>(settings_.sparse_ratio));
    if (settings_.sparse_ratio > 0 && greatest > enough && greatest > settings_.sparse_safe)
      return {0, !settings_.sparse_to_object};
    return {greatest, false};
  }

  static constexpr std::size_t kLongString = 4096;

  lua_State* lua_;
  Steps steps_;
  EncoderSettings settings_;
  std::size_t limit_;
  std::size_t size_ = 0;
};

/// What decoding may take at most for a byte of its text: more than decoded_size() ever says.
constexpr std::size_t kMostPerByte = 128;

/// As much as decoding `text` may take, from what tables and strings cost LuaJIT while they grow.
std::size_t decoded_size(lua_State* lua, std::string_view text) {
  constexpr std::size_t kTable = 104;
  constexpr std::size_t kElement = 24;
  constexpr std::size_t kMember = 64;
  constexpr std::size_t kString = 64;
  Steps steps(lua);
  std::size_t size = 2 * text.size();  // in strings, and in the decoder's buffer
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      in_string = !in_string;
      size += kString / 2;
    } else if (in_string) {
      if (c == '\\') ++i;
    } else if (c == '[' || c == '{') {
      size += kTable;
    } else if (c == ',') {
      size += kElement;
    } else if (c == ':') {
      size += kMember;
    }
    steps.count();
  }
  return size;
}

// The functions below have a table of lua-cjson as their upvalue. Its buffer is not kept from one
// call to the next: a script could make many of them.

void push_function(lua_State* lua, const char* name) {
  lua_getfield(lua, lua_upvalueindex(1), name);
}

EncoderSettings encoder_settings(lua_State* lua) {
  const int top = lua_gettop(lua);
  for (const char* name : {"encode_sparse_array", "encode_max_depth", "encode_number_precision"}) {
    push_function(lua, name);
    lua_call(lua, 0, LUA_MULTRET);
  }
  const auto setting = [&](int i) { return static_cast<int>(lua_tointeger(lua, top + i)); };
  const EncoderSettings settings{lua_toboolean(lua, top + 1) != 0, setting(2), setting(3),
                                 setting(4), setting(5)};
  lua_settop(lua, top);
  return settings;
}

void keep_buffer(lua_State* lua, bool keep) {
  push_function(lua, "encode_keep_buffer");
  lua_pushboolean(lua, keep ? 1 : 0);
  lua_call(lua, 1, 0);
}

/// Raises the error on top of the stack, with the position that it would have without us between.
int raise_again(lua_State* lua, int status) {
  if (status == LUA_ERRRUN) {
    luaL_where(lua, 1);
    lua_insert(lua, -2);
    lua_concat(lua, 2);
  }
  return lua_error(lua);
}

/// Tries again after a collection, and else raises.
template <typename Condition>
void require_memory(lua_State* lua, Condition is_enough) {
  if (is_enough()) return;
  lua_gc(lua, LUA_GCCOLLECT, 0);
  if (is_enough()) return;
  lua_pushliteral(lua, "not enough memory");
  lua_error(lua);
}

int encode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  const EncoderSettings settings = encoder_settings(lua);
  // The text will be there twice: in the buffer and as a string.
  require_memory(
      lua, [&] { return EncodedSize(lua, settings, State::of(lua).free_memory() / 2).fits(1); });
  // Only a buffer that is kept can be freed after an error.
  keep_buffer(lua, true);
  push_function(lua, "encode");
  lua_insert(lua, 1);
  const int status = lua_pcall(lua, 1, 1, 0);
  keep_buffer(lua, false);
  return status == 0 ? 1 : raise_again(lua, status);
}

int decode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  const std::string_view text = check_text(lua, 1);
  require_memory(lua, [&] {
    if (text.size() > kLongestText) return false;
    const std::size_t free = State::of(lua).free_memory();
    return text.size() <= free / kMostPerByte || decoded_size(lua, text) <= free;
  });
  push_function(lua, "decode");
  lua_insert(lua, 1);
  const int status = lua_pcall(lua, 1, 1, 0);
  return status == 0 ? 1 : raise_again(lua, status);
}

int create(lua_State* lua) {
  push_cjson_library(lua);
  return 1;
}

constexpr luaL_Reg kGuardedFunctions[] = {
    {"decode", trampoline<decode>},
    {"encode", trampoline<encode>},
};

constexpr std::array<const char*, 8> kSameAsTheirs{
    "_NAME",
    "decode_invalid_numbers",
    "decode_max_depth",
    "encode_invalid_numbers",
    "encode_max_depth",
    "encode_number_precision",
    "encode_sparse_array",
    "null",
};

void open_theirs(lua_State* lua) {
  lua_pushcfunction(lua, luaopen_cjson);
  lua_call(lua, 0, 1);
}

}  // namespace

void push_cjson_library(lua_State* lua) {
  lua_newtable(lua);
  const int library = lua_gettop(lua);
  open_theirs(lua);
  for (const char* name : kSameAsTheirs) {
    lua_getfield(lua, -1, name);
    lua_setfield(lua, library, name);
  }
  for (const luaL_Reg& function : kGuardedFunctions) {
    lua_pushvalue(lua, -1);
    lua_pushcclosure(lua, function.func, 1);
    lua_setfield(lua, library, function.name);
  }
  lua_getfield(lua, -1, "encode_keep_buffer");
  lua_pushboolean(lua, 0);
  lua_call(lua, 1, 0);
  // What scripts say about keeping the buffer is remembered by a second one, which encodes nothing.
  open_theirs(lua);
  lua_getfield(lua, -1, "encode_keep_buffer");
  lua_setfield(lua, library, "encode_keep_buffer");
  lua_pushliteral(lua, "2.1.0");  // Redis's, also where the system has a later one
  lua_setfield(lua, library, "_VERSION");
  lua_pushcfunction(lua, trampoline<create>);
  lua_setfield(lua, library, "new");
  lua_settop(lua, library);
}

}  // namespace moonshift::lua
