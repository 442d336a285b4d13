#include "lua/library/text_buffer.hpp"

#include <algorithm>

#include "lua/library/argument.hpp"
#include "lua/state.hpp"

namespace moonshift::lua {

namespace {

void make_room(lua_State* lua, std::size_t bytes) {
  State& state = State::of(lua);
  if (bytes < state.free_memory()) return;
  state.stop_if_due(lua);  // collecting takes its time
  lua_gc(lua, LUA_GCCOLLECT, 0);
}

}  // namespace

TextBuffer::~TextBuffer() {
  if (data_ == short_.data()) return;
  void* allocator = nullptr;
  lua_getallocf(lua_, &allocator)(allocator, data_, capacity_, 0);
}

void TextBuffer::grow(std::size_t least) { reallocate(std::max(least, 2 * capacity_)); }

void TextBuffer::reallocate(std::size_t capacity) {
  make_room(lua_, capacity);
  void* allocator = nullptr;
  const lua_Alloc allocate = lua_getallocf(lua_, &allocator);
  const bool was_short = data_ == short_.data();
  void* moved = was_short ? allocate(allocator, nullptr, 0, capacity)
                          : allocate(allocator, data_, capacity_, capacity);
  if (moved == nullptr) {
    lua_pushliteral(lua_, "not enough memory");
    lua_error(lua_);
  }
  if (was_short) std::memcpy(moved, short_.data(), size_);
  data_ = static_cast<char*>(moved);
  capacity_ = capacity;
}

void TextBuffer::push() const {
  if (data_ != short_.data()) {
    mind_deadline(lua_, size_);
    make_room(lua_, size_);
  }
  lua_pushlstring(lua_, data_, size_);
}

}  // namespace moonshift::lua
