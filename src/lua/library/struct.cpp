#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <limits>
#include <lua.hpp>
#include <string_view>

#include "lua/library/argument.hpp"
#include "lua/library/library.hpp"
#include "lua/library/steps.hpp"
#include "lua/library/text_buffer.hpp"
#include "lua/stack.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

constexpr int kWidestInteger = 32;

/// One item of a format; for a control character, only the letter counts.
struct Item {
  char letter;
  std::size_t size;     ///< 0 for `s` and `c0`: what the string has
  std::size_t padding;  ///< to put before it
};

bool is_integer(char letter) { return std::strchr("bBhHlLTiI", letter) != nullptr; }

/// Reads a format such as ">I2c0" item by item. http://www.inf.puc-rio.br/~roberto/struct
class Format {
 public:
  Format(lua_State* lua, int index) : lua_(lua), at_(check_text(lua, index).data()) {}

  bool at_end() const { return *at_ == '\0'; }

  bool little_endian() const { return little_endian_; }

  /// `position` is where it would stand without padding.
  Item next(std::size_t position) {
    const char letter = *at_++;
    const std::size_t size = size_of(letter);
    return {letter, size, letter == 'c' ? 0 : padding_to(position, size)};
  }

  /// For what next() found to be no value.
  void control(char letter) {
    switch (letter) {
      case ' ':
        return;
      case '<':
      case '>':
        little_endian_ = letter == '<';
        return;
      case '!':
        alignment_ = read_number(alignof(double));
        if (!std::has_single_bit(static_cast<unsigned>(alignment_)))
          luaL_error(lua_, "alignment %d is not a power of 2", alignment_);
        return;
      default:
        luaL_argerror(lua_, 1, lua_pushfstring(lua_, "invalid format option '%c'", letter));
    }
  }

 private:
  std::size_t size_of(char letter) {
    switch (letter) {
      case 'b':
      case 'B':
      case 'x':
        return 1;
      case 'h':
      case 'H':
        return sizeof(short);
      case 'l':
      case 'L':
        return sizeof(long);
      case 'T':
        return sizeof(std::size_t);
      case 'f':
        return sizeof(float);
      case 'd':
        return sizeof(double);
      case 'c':
        return static_cast<std::size_t>(read_number(1));
      case 'i':
      case 'I': {
        const int size = read_number(sizeof(int));
        if (size > kWidestInteger) {
          luaL_error(lua_, "integral size %d is larger than limit of %d", size, kWidestInteger);
        }
        return static_cast<std::size_t>(size);
      }
      default:
        return 0;
    }
  }

  std::size_t padding_to(std::size_t position, std::size_t size) const {
    if (size == 0) return 0;
    const std::size_t unit = std::min(size, static_cast<std::size_t>(alignment_));
    return (unit - (position & (unit - 1))) & (unit - 1);
  }

  int read_number(int otherwise) {
    if (!is_digit(*at_)) return otherwise;
    std::int64_t number = 0;
    for (; is_digit(*at_); ++at_) {
      number = number * 10 + (*at_ - '0');
      if (number > std::numeric_limits<int>::max()) luaL_error(lua_, "integral size overflow");
    }
    return static_cast<int>(number);
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  lua_State* lua_;
  const char* at_;
  int alignment_ = 1;
  bool little_endian_ = std::endian::native == std::endian::little;
};

// Integers are 64 bits inside, however wide they are outside, and only the bits that fit are kept.

std::uint64_t to_bits(double number) {
  constexpr double kSign = 0x1p63;
  if (number >= 2 * kSign) return 0;
  if (number >= kSign) return static_cast<std::uint64_t>(number);
  return static_cast<std::uint64_t>(to_integer(number));
}

void put_integer(TextBuffer& out, double number, std::size_t size, bool little_endian) {
  std::array<char, kWidestInteger> bytes{};
  std::uint64_t bits = to_bits(number);
  for (std::size_t i = 0; i < size; ++i, bits >>= 8) bytes[i] = static_cast<char>(bits);
  if (!little_endian) std::reverse(bytes.begin(), bytes.begin() + size);
  out.append({bytes.data(), size});
}

double get_integer(std::string_view bytes, bool is_signed, bool little_endian) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char byte = bytes[little_endian ? bytes.size() - 1 - i : i];
    bits = bits << 8 | static_cast<unsigned char>(byte);
  }
  if (!is_signed) return static_cast<double>(bits);
  // The count is taken modulo 64, as x86-64 shifts: so integers of 9 to 15 bytes lose their upper
  // bits, there as here.
  const std::uint64_t sign = ~std::uint64_t{0} << ((bytes.size() * 8 - 1) % 64);
  if ((bits & sign) != 0) bits |= sign;
  return static_cast<double>(static_cast<std::int64_t>(bits));
}

template <typename Float>
void put_float(TextBuffer& out, Float number, bool little_endian) {
  auto bytes = std::bit_cast<std::array<char, sizeof(Float)>>(number);
  if (!little_endian) std::reverse(bytes.begin(), bytes.end());
  out.append({bytes.data(), bytes.size()});
}

template <typename Float>
double get_float(std::string_view text, bool little_endian) {
  std::array<char, sizeof(Float)> bytes;
  std::copy_n(text.begin(), bytes.size(), bytes.begin());
  if (!little_endian) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<Float>(bytes);
}

int pack(lua_State* lua) {
  Format format(lua, 1);
  Steps steps(lua);
  int argument = 2;
  std::size_t position = 0;
  lua_pushnil(lua);  // as which an argument that is missing is named
  TextBuffer out(lua);
  while (!format.at_end()) {
    Item item = format.next(position);
    for (std::size_t i = 0; i < item.padding; ++i) out.append('\0');
    if (is_integer(item.letter)) {
      put_integer(out, check_number(lua, argument++), item.size, format.little_endian());
    } else if (item.letter == 'x') {
      out.append('\0');
    } else if (item.letter == 'f') {
      put_float(out, static_cast<float>(check_number(lua, argument++)), format.little_endian());
    } else if (item.letter == 'd') {
      put_float(out, check_number(lua, argument++), format.little_endian());
    } else if (item.letter == 'c' || item.letter == 's') {
      const std::string_view text = check_text(lua, argument++);
      if (item.size == 0) item.size = text.size();
      luaL_argcheck(lua, text.size() >= item.size, argument, "string too short");
      out.append(text.substr(0, item.size));
      if (item.letter == 's') {
        out.append('\0');
        ++item.size;
      }
    } else {
      format.control(item.letter);
    }
    position += item.padding + item.size;
    steps.count();
  }
  out.push();
  return 1;
}

int unpack(lua_State* lua) {
  Format format(lua, 1);
  const std::string_view data = check_text(lua, 2);
  auto position = static_cast<std::size_t>(optional_integer(lua, 3, 1));
  luaL_argcheck(lua, position > 0, 3, "offset must be 1 or greater");
  --position;
  const auto require = [&](std::size_t size) {
    luaL_argcheck(lua, size <= data.size() && position <= data.size() - size, 2,
                  "data string too short");
  };
  Steps steps(lua);
  int results = 0;
  while (!format.at_end()) {
    Item item = format.next(position);
    position += item.padding;
    require(item.size);
    luaL_checkstack(lua, 2, "too many results");
    const std::string_view bytes = data.substr(position, item.size);
    if (is_integer(item.letter)) {
      const bool is_signed = std::islower(static_cast<unsigned char>(item.letter)) != 0;
      lua_pushnumber(lua, get_integer(bytes, is_signed, format.little_endian()));
      ++results;
    } else if (item.letter == 'f') {
      lua_pushnumber(lua, get_float<float>(bytes, format.little_endian()));
      ++results;
    } else if (item.letter == 'd') {
      lua_pushnumber(lua, get_float<double>(bytes, format.little_endian()));
      ++results;
    } else if (item.letter == 'c') {
      if (item.size == 0) {  // the result before it is the length, and no result
        if (results == 0 || lua_isnumber(lua, -1) == 0)
          luaL_error(lua, "format 'c0' needs a previous size");
        item.size = to_bits(check_number(lua, -1));
        lua_pop(lua, 1);
        --results;
        require(item.size);
      }
      push(lua, data.substr(position, item.size));
      ++results;
    } else if (item.letter == 's') {
      const std::size_t end = data.find('\0', position);
      if (end == std::string_view::npos) luaL_error(lua, "unfinished string in data");
      push(lua, data.substr(position, end - position));
      item.size = end - position + 1;
      ++results;
    } else if (item.letter != 'x') {
      format.control(item.letter);
    }
    position += item.size;
    steps.count();
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(position + 1));
  return results + 1;
}

int size(lua_State* lua) {
  Format format(lua, 1);
  Steps steps(lua);
  std::size_t position = 0;
  while (!format.at_end()) {
    const Item item = format.next(position);
    if (item.letter == 's') luaL_argerror(lua, 1, "option 's' has no fixed size");
    if (item.letter == 'c' && item.size == 0)
      luaL_argerror(lua, 1, "option 'c0' has no fixed size");
    // Letters that are no option are passed over here, and only here.
    if (std::isalnum(static_cast<unsigned char>(item.letter)) == 0) format.control(item.letter);
    position += item.padding + item.size;
    steps.count();
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(position));
  return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"pack", trampoline<pack>},
    {"size", trampoline<size>},
    {"unpack", trampoline<unpack>},
    {nullptr, nullptr},
};

}  // namespace

void push_struct_library(lua_State* lua) {
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
}

}  // namespace moonshift::lua
