#include "support/http_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace moonshift::test {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Appends what comes; false at the end.
bool receive(int connection, std::string& text) {
  std::array<char, 4096> buffer{};
  const auto count = ::recv(connection, buffer.data(), buffer.size(), 0);
  if (count <= 0) return false;
  text.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

HttpCall read_call(int connection) {
  std::string text;
  while (text.find("\r\n\r\n") == std::string::npos && receive(connection, text)) {
  }
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  HttpCall call;
  std::istringstream head(text.substr(0, end));
  head >> call.method >> call.target;
  std::string line;
  std::getline(head, line);
  while (std::getline(head, line)) {
    const auto colon = line.find(": ");
    if (colon == std::string::npos) continue;
    if (line.ends_with('\r')) line.pop_back();
    call.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  call.body = text.substr(end + 4);
  const std::string length = call.headers["content-length"];
  const std::size_t wanted = length.empty() ? 0 : std::stoul(length);
  while (call.body.size() < wanted && receive(connection, call.body)) {
  }
  return call;
}

void reset(int connection) {
  const linger at_once{1, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(connection);
}

}  // namespace

std::string answer(const std::string& status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

HttpServer::HttpServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
  ::setenv("no_proxy", "127.0.0.1", 1);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen on the loopback interface");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
  for (const int connection : silent_) ::close(connection);
}

std::string HttpServer::url(const std::string& path) const {
  return "http://127.0.0.1:" + port() + path;
}

std::vector<HttpCall> HttpServer::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void HttpServer::serve() {
  for (;;) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    handle(connection);
  }
}

void HttpServer::handle(int connection) {
  HttpCall call = read_call(connection);
  std::size_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = calls_.size();
    calls_.push_back(std::move(call));
  }
  const std::string& text = answers_[std::min(number, answers_.size() - 1)];
  if (text == kReset) return reset(connection);
  if (text == kSilence) return silent_.push_back(connection);
  ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
  ::close(connection);
}

}  // namespace moonshift::test
