#include "redis/transport.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "redis/error.hpp"

namespace moonshift::redis {

namespace {

using base::SteadyTime;
using Clock = std::chrono::steady_clock;

/// poll()'s timeout until `deadline`, rounded up so that it never wakes too early and spins.
int poll_timeout(SteadyTime deadline) {
  if (deadline == base::kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

Descriptor open_socket(int family) {
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) throw_system_error(errno, "socket");
  return socket;
}

void wait_connected(const Descriptor& socket, SteadyTime deadline, const std::string& where) {
  pollfd entry{socket.get(), POLLOUT, 0};
  while (::poll(&entry, 1, poll_timeout(deadline)) <= 0) {
    if (Clock::now() >= deadline) throw_system_error(ETIMEDOUT, where);
    if (base::Interrupt::signal() != 0) {
      throw base::Aborted(base::Aborted::Reason::kSignal,
                          "interrupted while connecting to " + where);
    }
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) throw_system_error(error, where);
}

Descriptor connect_to(const sockaddr* address, socklen_t size, SteadyTime deadline,
                      const std::string& where) {
  Descriptor socket = open_socket(address->sa_family);
  if (::connect(socket.get(), address, size) != 0) {
    if (errno != EINPROGRESS) throw_system_error(errno, where);
    wait_connected(socket, deadline, where);
  }
  return socket;
}

struct AddressListDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

std::unique_ptr<addrinfo, AddressListDeleter> resolve(const Address& address,
                                                      const std::string& where) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  if (error != 0) {
    throw RedisError(
        RedisError::Kind::kUnresolved,
        fmt::format("{}: cannot resolve the host name: {}", where, ::gai_strerror(error)));
  }
  return std::unique_ptr<addrinfo, AddressListDeleter>(list);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Transport Transport::connect(const Address& address, SteadyTime deadline) {
  const std::string where = fmt::format("{}:{}", address.host, address.port);
  const auto list = resolve(address, where);
  for (const addrinfo* entry = list.get();; entry = entry->ai_next) {
    try {
      Descriptor socket = connect_to(entry->ai_addr, entry->ai_addrlen, deadline, where);
      // Commands are written together by us; waiting for more to send would only add latency.
      const int on = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      return Transport(std::move(socket), where);
    } catch (const RedisError&) {
      if (entry->ai_next == nullptr) throw;
    }
  }
}

Transport Transport::connect(const std::string& socket_path, SteadyTime deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) throw_system_error(ENAMETOOLONG, socket_path);
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  return Transport(connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline,
                              socket_path),
                   socket_path);
}

bool Transport::wait(bool want_write, SteadyTime deadline) const {
  const short events = static_cast<short>(POLLIN | (want_write ? POLLOUT : 0));
  pollfd entries[2]{{socket_.get(), events, 0}, {base::Interrupt::wake_fd(), POLLIN, 0}};
  // A signal that has come keeps its descriptor readable: it is waited for only until then.
  const nfds_t count = base::Interrupt::signal() == 0 && entries[1].fd >= 0 ? 2 : 1;
  const int ready = ::poll(entries, count, poll_timeout(deadline));
  return ready > 0 && entries[0].revents != 0;
}

std::size_t Transport::write(std::span<const char> bytes) {
  const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno == EAGAIN || errno == EINTR) return 0;
  throw_system_error(errno, where_);
}

std::size_t Transport::read(std::span<char> buffer) {
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0) throw_system_error(EPIPE, where_);
  if (errno == EAGAIN || errno == EINTR) return 0;
  throw_system_error(errno, where_);
}

}  // namespace moonshift::redis
