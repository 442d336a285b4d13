#include "record/http.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "record/blocked_signal.hpp"
#include "record/patience.hpp"

namespace moonshift::record {

namespace {

using base::Duration;
using base::SteadyTime;
using Clock = std::chrono::steady_clock;

constexpr int kRetries = 3;
constexpr long kRedirects = 3;

/// Whoever answers gets to say this much and for so long, though only the status matters: some
/// servers count a connection that is cut as a failure.
constexpr std::size_t kMostOfBody = 64 * 1024;
constexpr Duration kLongestBody = std::chrono::seconds(1);

template <auto kFree>
struct Free {
  template <class Handle>
  void operator()(Handle* handle) const {
    kFree(handle);
  }
};

using EasyHandle = std::unique_ptr<CURL, Free<curl_easy_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, Free<curl_slist_free_all>>;
using MultiHandle = std::unique_ptr<CURLM, Free<curl_multi_cleanup>>;
using UrlHandle = std::unique_ptr<CURLU, Free<curl_url_cleanup>>;

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  const std::unique_ptr<char, Free<curl_free>> owner(text);
  return text;
}

/// How one attempt went; `problem` is empty if the request was taken.
struct Attempt {
  std::string problem;
  bool may_help_to_retry = false;
  Duration wait{0};  ///< as long as the server asks for
};

/// Takes the body, up to a limit, where curl ends the transfer.
std::size_t count_body(char*, std::size_t, std::size_t count, void* received) {
  std::size_t& total = *static_cast<std::size_t*>(received);
  total += count;
  return total > kMostOfBody ? 0 : count;
}

HeaderList headers_of(const HttpRequest& request) {
  HeaderList list;
  const auto append = [&](const std::string& header) {
    curl_slist* longer = curl_slist_append(list.get(), header.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(list.release());
    list.reset(longer);
  };
  for (const std::string& header : request.headers) append(header);
  append("Expect:");  // a server that does not know 100-continue would cost a second
  return list;
}

long milliseconds(Duration duration) {
  return std::max(1L, static_cast<long>(duration / std::chrono::milliseconds(1)));
}

void prepare(CURL* curl, const HttpRequest& request, const HeaderList& headers) {
  const bool secure = request.url.starts_with("https:");
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "moonshift/" MOONSHIFT_VERSION);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kRedirects);
  curl_easy_setopt(curl, CURLOPT_POSTREDIR, static_cast<long>(CURL_REDIR_POST_ALL));
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count_body);
  // Signals belong to the process: curl must neither use SIGALRM nor change what SIGPIPE does.
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  // At the end of our patience a name server that hangs is left to itself.
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
}

long status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

bool is_passing(long status) { return status == 408 || status == 429 || status >= 500; }

/// Whether trying again may help: a name or a certificate will not get right within seconds.
bool is_passing(CURLcode code) {
  constexpr std::array kLasting{CURLE_URL_MALFORMAT,      CURLE_UNSUPPORTED_PROTOCOL,
                                CURLE_TOO_MANY_REDIRECTS, CURLE_PEER_FAILED_VERIFICATION,
                                CURLE_SSL_CACERT_BADFILE, CURLE_LOGIN_DENIED};
  return std::find(kLasting.begin(), kLasting.end(), code) == kLasting.end();
}

Attempt judge(CURL* curl, CURLcode result) {
  const long status = status_of(curl);
  curl_off_t wait = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
  // Once there is a status, it does not matter whether the rest of the answer arrives.
  if (status >= 200 && status < 300) return {};
  if (status >= 400)
    return {fmt::format("it answered {}", status), is_passing(status), std::chrono::seconds(wait)};
  // curl's own longer message may have the URL in it.
  if (result != CURLE_OK) return {curl_easy_strerror(result), is_passing(result)};
  if (status >= 300) return {fmt::format("it answered {}, a redirect", status)};
  return {fmt::format("it answered {}", status)};
}

/// How long the answer may take to end, once its status is there.
class AnswerTime {
 public:
  explicit AnswerTime(CURL* curl) : curl_(curl) {}

  Duration left() {
    const SteadyTime now = Clock::now();
    if (!end_) {
      const long status = status_of(curl_);
      const bool known = (status >= 200 && status < 300) || status >= 400;
      if (!known) return kLongestBody;
      end_ = now + kLongestBody;
    }
    return std::chrono::duration_cast<Duration>(*end_ - now);
  }

 private:
  CURL* curl_;
  std::optional<SteadyTime> end_;
};

/// As curl_easy_perform(), but a signal wakes it up, and it ends in time.
CURLcode perform(CURL* curl, Patience& patience) {
  const MultiHandle multi(curl_multi_init());
  if (!multi || curl_multi_add_handle(multi.get(), curl) != CURLM_OK) return CURLE_FAILED_INIT;
  AnswerTime answer(curl);
  CURLcode result = CURLE_OPERATION_TIMEDOUT;
  for (int running = 1; running > 0;) {
    if (curl_multi_perform(multi.get(), &running) != CURLM_OK) break;
    int waiting = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi.get(), &waiting))
      result = message->data.result;
    const Duration left = std::min(patience.left(), answer.left());
    if (running == 0 || left <= Duration::zero()) break;
    curl_waitfd wake{patience.wake_fd(), CURL_WAIT_POLLIN, 0};
    curl_multi_poll(multi.get(), &wake, wake.fd < 0 ? 0 : 1, static_cast<int>(milliseconds(left)),
                    nullptr);
  }
  curl_multi_remove_handle(multi.get(), curl);
  return result;
}

Attempt try_once(const HttpRequest& request, Duration timeout, Patience& patience) {
  const EasyHandle curl(curl_easy_init());
  if (!curl) throw HttpError("libcurl cannot be used");
  const HeaderList headers = headers_of(request);
  prepare(curl.get(), request, headers);
  // A host that does not even answer leaves time for others of its addresses, and for retries.
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, milliseconds(timeout / 4));
  std::size_t received = 0;
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &received);
  return judge(curl.get(), perform(curl.get(), patience));
}

bool is_set_up() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  return result == CURLE_OK;
}

}  // namespace

std::string HttpUrl::origin() const {
  return fmt::format("{}://{}{}{}", scheme, host, port.empty() ? "" : ":", port);
}

std::optional<HttpUrl> parse_http_url(const std::string& text) {
  const UrlHandle url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return {};
  const auto part = [&](CURLUPart which) { return part_of(url.get(), which); };
  HttpUrl parts{part(CURLUPART_SCHEME), part(CURLUPART_USER), part(CURLUPART_HOST),
                part(CURLUPART_PORT),   part(CURLUPART_PATH), part(CURLUPART_QUERY)};
  if (parts.scheme != "http" && parts.scheme != "https") return {};
  return parts;
}

std::string show_without_secrets(const std::string& url) {
  const auto parts = parse_http_url(url);
  return parts ? parts->origin() + "/***" : "***";
}

void set_up_http() { is_set_up(); }

void post(const HttpRequest& request, Duration timeout) {
  if (!is_set_up()) throw HttpError("libcurl cannot be used");
  const BlockedSignal no_broken_pipe(SIGPIPE);
  Patience patience(timeout);
  Duration distance = timeout / 20;
  for (int tries = 1;; ++tries, distance *= 2) {
    const Attempt attempt = try_once(request, timeout, patience);
    if (attempt.problem.empty()) return;
    const Duration wait = std::max(distance, attempt.wait);
    if (!attempt.may_help_to_retry || tries > kRetries || wait >= patience.left()) {
      throw HttpError(fmt::format("{}{}", attempt.problem,
                                  tries == 1 ? "" : fmt::format(" (tried {} times)", tries)));
    }
    patience.wait(wait);
  }
}

}  // namespace moonshift::record
