#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/duration.hpp"

namespace moonshift::record {

/// The parts of an http:// or https:// URL, each as it stands there (percent-encoded).
struct HttpUrl {
  std::string scheme, user, host, port, path, query;

  /// `https://host:8080`
  std::string origin() const;
};

/// Nothing if it is none.
std::optional<HttpUrl> parse_http_url(const std::string& text);

/// For messages: whoever knows the path of a hook can use it, so `https://host/***`.
std::string show_without_secrets(const std::string& url);

/// Why a request was not taken, without anything of its URL that is secret.
class HttpError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  ///< `Content-Type: text/plain`
  std::string body;
  bool follow_redirects = true;
};

/// To be called before a thread is started that posts, because libcurl cannot be set up while
/// others run. If it cannot at all, post() says so.
void set_up_http();

/// POSTs it. Tries up to three times more, at growing distances, if no server answers or the answer
/// says that another time may be better (408, 429, 5xx), all within `timeout`, and within 2 s after
/// a signal (see Interrupt). Of an answer's body no more is read than 64 KB, for a second. Throws
/// HttpError unless a 2xx comes. May be called from any thread.
void post(const HttpRequest& request, base::Duration timeout);

}  // namespace moonshift::record
