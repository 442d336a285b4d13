#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "base/time.hpp"
#include "redis/url.hpp"

namespace moonshift::redis {

/// A file descriptor that is closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();

  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// A non-blocking byte stream to one Redis, over TCP or a Unix socket. Every error is a RedisError.
class Transport {
 public:
  /// Connects before `deadline`. Every address of a name is tried.
  static Transport connect(const Address& address, base::SteadyTime deadline);
  static Transport connect(const std::string& socket_path, base::SteadyTime deadline);

  /// Waits until there is something to read, or room to write if that is wanted; false if the
  /// deadline or a signal came first.
  bool wait(bool want_write, base::SteadyTime deadline) const;

  /// What was written or read at once: nothing if it would block. Throws when the peer has closed.
  std::size_t write(std::span<const char> bytes);
  std::size_t read(std::span<char> buffer);

  const std::string& where() const { return where_; }

 private:
  Transport(Descriptor socket, std::string where)
      : socket_(std::move(socket)), where_(std::move(where)) {}

  Descriptor socket_;
  std::string where_;
};

}  // namespace moonshift::redis
