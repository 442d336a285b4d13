#include "record/http.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/interrupt.hpp"
#include "support/http_server.hpp"
#include "support/server.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using test::answer;
using test::HttpServer;

namespace {

constexpr base::Duration kTimeout = 2s;

/// What post() says, or "taken".
std::string refusal(const record::HttpRequest& request, base::Duration timeout = kTimeout) {
  try {
    record::post(request, timeout);
  } catch (const record::HttpError& error) {
    return error.what();
  }
  return "taken";
}

/// Longer than any test may take.
constexpr base::Duration kForever = 1h;

/// Answers one request with `head`, and then with `piece` again and again, `pause` milliseconds
/// apart, for as long as somebody listens.
class EndlessServer {
 public:
  EndlessServer(std::string head, std::string piece, int pause)
      : head_(std::move(head)), piece_(std::move(piece)), pause_(pause) {
    ::setenv("no_proxy", "127.0.0.1", 1);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 1) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread([this] { serve(); });
  }

  ~EndlessServer() {
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }

  const std::string& url() const { return url_; }

  /// Waits until nobody listens any more.
  std::size_t sent() {
    thread_.join();
    return sent_;
  }

 private:
  void serve() {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    char request[4096];
    ::recv(connection, request, sizeof request, 0);
    ::send(connection, head_.data(), head_.size(), MSG_NOSIGNAL);
    for (;;) {
      const auto count = ::send(connection, piece_.data(), piece_.size(), MSG_NOSIGNAL);
      if (count < 0) break;
      sent_ += static_cast<std::size_t>(count);
      pollfd end{connection, POLLRDHUP, 0};
      if (::poll(&end, 1, pause_) > 0) break;
    }
    ::close(connection);
  }

  std::string head_, piece_, url_;
  int pause_;
  int listener_ = -1;
  std::size_t sent_ = 0;
  std::thread thread_;
};

}  // namespace

TEST_CASE("a request is posted with its headers and its body as they are") {
  const HttpServer server;
  const std::string body("a\0\xff\n{}", 6);
  record::post({server.url("/in?a=b"), {"Content-Type: text/x"}, body}, kTimeout);
  const auto calls = server.calls();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].method == "POST");
  CHECK(calls[0].target == "/in?a=b");
  CHECK(calls[0].headers.at("content-type") == "text/x");
  CHECK(calls[0].headers.at("user-agent").starts_with("moonshift/"));
  CHECK(calls[0].body == body);
}

TEST_CASE("a body of megabytes arrives whole, and one of nothing, too") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{3} << 20}) {
    const HttpServer server;
    record::post({server.url(), {}, std::string(size, 'x')}, 10s);
    REQUIRE(server.calls().size() == 1);
    CHECK(server.calls()[0].body.size() == size);
  }
}

TEST_CASE("which answers are tried again, and what is said of them") {
  struct Case {
    std::vector<std::string> answers;
    std::size_t calls;
    std::string said;
  };
  const std::string ok = answer("200 OK"), broken = answer("500 Oh");
  for (const Case& c : {
           Case{{answer("204 No Content")}, 1, "taken"},
           Case{{broken, ok}, 2, "taken"},
           Case{{answer("503 Busy"), answer("429 Slow"), answer("408 Late"), ok}, 4, "taken"},
           Case{{broken}, 4, "it answered 500 (tried 4 times)"},
           Case{{answer("404 Not Found"), ok}, 1, "it answered 404"},
           Case{{answer("400 Bad")}, 1, "it answered 400"},
           Case{{broken, answer("403 No"), ok}, 2, "it answered 403 (tried 2 times)"},
           Case{{HttpServer::kReset, ok}, 2, "taken"},
           Case{{HttpServer::kReset}, 4, "(tried 4 times)"},
           Case{{"SSH-2.0-OpenSSH_9.2\r\n\r\n"}, 1, ""},
           Case{{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut"}, 1, "taken"},
           Case{{"", ok}, 2, "taken"},
       }) {
    const HttpServer server(c.answers);
    CAPTURE(c.answers[0]);
    const std::string said = refusal({server.url(), {}, "x"});
    CHECK(said.find(c.said) != std::string::npos);
    CHECK((said == "taken") == (c.said == "taken"));
    CHECK(server.calls().size() == c.calls);
  }
}

TEST_CASE("a server that asks to be left alone for longer than there is time is not asked again") {
  const HttpServer server({answer("429 Slow", "Retry-After: 60\r\n"), answer("200 OK")});
  CHECK(refusal({server.url(), {}, ""}) == "it answered 429");
  CHECK(server.calls().size() == 1);
}

TEST_CASE("a server that asks for a second gets it") {
  const HttpServer server({answer("503 Busy", "Retry-After: 1\r\n"), answer("200 OK")});
  const auto start = std::chrono::steady_clock::now();
  CHECK(refusal({server.url(), {}, ""}, 10s) == "taken");
  CHECK(std::chrono::steady_clock::now() - start >= 1s);
}

TEST_CASE("a server that never answers costs the timeout, and no more") {
  const HttpServer server({HttpServer::kSilence});
  const auto start = std::chrono::steady_clock::now();
  CHECK(refusal({server.url(), {}, "x"}, 300ms) == "Timeout was reached");
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  CHECK(server.calls().size() == 1);
}

TEST_CASE("an answer counts by its status, though its body never ends") {
  const std::string megabyte(1 << 20, 'x');
  struct Case {
    std::string status, piece;
    int pause;
    std::string said;
  };
  for (const Case& c : {Case{"200 OK", megabyte, 0, "taken"}, Case{"200 OK", "x", 20, "taken"},
                        Case{"404 Not Found", megabyte, 0, "it answered 404"}}) {
    CAPTURE(c.status);
    EndlessServer server("HTTP/1.1 " + c.status + "\r\n\r\n", c.piece, c.pause);
    CHECK(refusal({server.url(), {}, "x"}, kForever) == c.said);
    // What the kernel buffers is sent, though nobody reads it.
    CHECK(server.sent() < std::size_t{32} << 20);
  }
}

TEST_CASE("an answer counts by its status, though its body never begins") {
  EndlessServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", 20);
  CHECK(refusal({server.url(), {}, "x"}, kForever) == "taken");
}

TEST_CASE("a signal ends a request that is under way") {
  const base::Interrupt interrupt;
  const HttpServer server({HttpServer::kSilence});
  const std::jthread person([&] {
    test::eventually([&] { return !server.calls().empty(); });
    ::kill(::getpid(), SIGTERM);
  });
  CHECK(refusal({server.url(), {}, "x"}, kForever) == "Timeout was reached");
}

TEST_CASE("a signal ends the wait for another try") {
  const base::Interrupt interrupt;
  const HttpServer server({answer("503 Busy", "Retry-After: 600\r\n")});
  const std::jthread person([&] {
    test::eventually([&] { return !server.calls().empty(); });
    ::kill(::getpid(), SIGTERM);
  });
  CHECK(refusal({server.url(), {}, "x"}, kForever).starts_with("it answered 503"));
}

TEST_CASE("a port where nobody listens") {
  std::string url;
  { url = HttpServer().url(); }
  CHECK(refusal({url, {}, "x"}).find("tried 4 times") != std::string::npos);
}

TEST_CASE("a redirect is followed with the body") {
  for (const char* status : {"301 Moved", "302 Found", "307 There", "308 There"}) {
    const HttpServer target;
    const HttpServer server({answer(status, "Location: " + target.url("/there") + "\r\n")});
    CAPTURE(status);
    CHECK(refusal({server.url("/here"), {}, "x"}) == "taken");
    REQUIRE(target.calls().size() == 1);
    CHECK(target.calls()[0].method == "POST");
    CHECK(target.calls()[0].target == "/there");
    CHECK(target.calls()[0].body == "x");
  }
}

TEST_CASE("redirects that are not followed") {
  const HttpServer target;
  const std::string there = "Location: " + target.url() + "\r\n";
  const HttpServer server({answer("302 Found", there)});
  CHECK(refusal({server.url(), {}, "x", false}) == "it answered 302, a redirect");
  CHECK(target.calls().empty());

  const HttpServer loop({answer("302 Found", "Location: /\r\n")});
  CHECK(refusal({loop.url(), {}, "x"}) != "taken");
  CHECK(loop.calls().size() == 4);

  const HttpServer file({answer("302 Found", "Location: file:///etc/hostname\r\n")});
  CHECK(refusal({file.url(), {}, "x"}) != "taken");

  const HttpServer nowhere({answer("304 Not Modified")});
  CHECK(refusal({nowhere.url(), {}, "x"}) == "it answered 304, a redirect");
}

TEST_CASE("of a URL, only the host is shown") {
  CHECK(record::show_without_secrets("https://hooks.example/services/T0/B0/secret?k=v") ==
        "https://hooks.example/***");
  CHECK(record::show_without_secrets("http://user:secret@[::1]:8080") == "http://[::1]:8080/***");
  CHECK(record::show_without_secrets("secret") == "***");
}

TEST_CASE("what a failed request says has nothing of its path") {
  for (const std::string url : {"https://127.0.0.1:1/secret", "http://nowhere.invalid/secret",
                                "ftp://host/secret", "http://us er:secret@/secret", "secret", ""}) {
    const std::string said = refusal({url, {}, "x"}, 500ms);
    CAPTURE(url);
    CHECK(said != "taken");
    CHECK(said.find("secret") == std::string::npos);
  }
}

TEST_CASE("what is an http URL") {
  const auto url = record::parse_http_url("https://key@host.example:8443/a/b?c=d#e");
  REQUIRE(url);
  CHECK(url->user == "key");
  CHECK(url->origin() == "https://host.example:8443");
  CHECK(url->path == "/a/b");
  CHECK(url->query == "c=d");
  for (const char* text :
       {"", "host", "/path", "ftp://host", "https://", "redis://host", "file:///x"})
    CHECK_FALSE(record::parse_http_url(text));
}
