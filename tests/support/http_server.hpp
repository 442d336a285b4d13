#pragma once

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace moonshift::test {

/// What a server got: names of headers are in lower case.
struct HttpCall {
  std::string method, target, body;
  std::map<std::string, std::string> headers;
};

/// `HTTP/1.1 <status>`, with further header lines and a body.
std::string answer(const std::string& status, const std::string& headers = "",
                   const std::string& body = "");

/// An HTTP server on a port of its own, a connection a request. It gives one of the answers to
/// each, the last one to all that follow.
class HttpServer {
 public:
  /// Instead of an answer.
  static constexpr const char* kReset = "(reset the connection)";
  static constexpr const char* kSilence = "(never answer)";

  explicit HttpServer(std::vector<std::string> answers = {answer("200 OK")});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// `http://127.0.0.1:<port>` and the path.
  std::string url(const std::string& path = "/") const;
  std::string port() const { return std::to_string(port_); }

  std::vector<HttpCall> calls() const;

 private:
  void serve();
  void handle(int connection);

  std::vector<std::string> answers_;
  int listener_ = -1;
  int port_ = 0;
  std::vector<int> silent_;
  mutable std::mutex mutex_;
  std::vector<HttpCall> calls_;
  std::thread thread_;
};

}  // namespace moonshift::test
