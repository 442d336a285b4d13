#pragma once

// Includes lua.hpp: for src/lua alone.

#include <array>
#include <cstring>
#include <lua.hpp>
#include <string_view>

namespace moonshift::lua {

/// Text that a binding builds. It is allocated as Lua's own memory, under the same limit, and given
/// back at once; a luaL_Buffer would leave many times the size of its text to the collector. Where
/// memory is short it collects garbage, and then raises "not enough memory".
class TextBuffer {
 public:
  explicit TextBuffer(lua_State* lua) : lua_(lua) {}
  ~TextBuffer();
  TextBuffer(const TextBuffer&) = delete;
  TextBuffer& operator=(const TextBuffer&) = delete;

  void append(char c) {
    if (size_ == capacity_) grow(size_ + 1);
    data_[size_++] = c;
  }

  void append(std::string_view text) {
    if (text.size() > capacity_ - size_) grow(size_ + text.size());
    if (!text.empty()) std::memcpy(data_ + size_, text.data(), text.size());
    size_ += text.size();
  }

  void reserve(std::size_t size) {
    if (size > capacity_) reallocate(size);
  }

  char* begin() { return data_; }
  char* end() { return data_ + size_; }
  std::string_view text() const { return {data_, size_}; }

  /// Pushes the text as a Lua string.
  void push() const;

 private:
  void grow(std::size_t least);
  void reallocate(std::size_t capacity);

  lua_State* lua_;
  std::array<char, 512> short_;
  char* data_ = short_.data();
  std::size_t size_ = 0;
  std::size_t capacity_ = short_.size();
};

}  // namespace moonshift::lua
