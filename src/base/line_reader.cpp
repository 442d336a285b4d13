#include "base/line_reader.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/interrupt.hpp"

namespace moonshift::base {

std::optional<std::string> LineReader::next() {
  std::size_t searched = begin_;
  for (;;) {
    const auto end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(begin_, end - begin_);
      begin_ = end + 1;
      return line;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    if (!fill()) break;
  }
  if (buffer_.empty() || Interrupt::signal() != 0) return std::nullopt;
  return std::exchange(buffer_, {});
}

/// False at the end of the input, and after a signal.
bool LineReader::fill() {
  std::array<pollfd, 2> waited{{{descriptor_, POLLIN, 0}, {Interrupt::wake_fd(), POLLIN, 0}}};
  std::array<char, 64 * 1024> bytes;
  while (true) {
    ::poll(waited.data(), waited.size(), -1);
    if (Interrupt::signal() != 0) return false;
    const ssize_t count = ::read(descriptor_, bytes.data(), bytes.size());
    if (count >= 0) {
      buffer_.append(bytes.data(), static_cast<std::size_t>(count));
      return count > 0;
    }
    if (errno != EINTR && errno != EAGAIN)
      throw std::system_error(errno, std::generic_category(), "the input cannot be read");
  }
}

}  // namespace moonshift::base
