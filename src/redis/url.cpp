#include "redis/url.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace moonshift::redis {

namespace {

using base::ConfigError;
using base::parse_number;
using Scheme = Url::Scheme;

constexpr std::array<std::pair<std::string_view, Scheme>, 6> kSchemes{{
    {"redis+sentinel://", Scheme::kSentinel},
    {"redis+cluster://", Scheme::kCluster},
    {"rediss://", Scheme::kTls},
    {"redis://", Scheme::kTcp},
    {"unix://", Scheme::kUnix},
    {"scratch:", Scheme::kScratch},
}};

std::string_view prefix_of(Scheme scheme) {
  for (const auto& [prefix, known] : kSchemes) {
    if (known == scheme) return prefix;
  }
  return "";
}

/// No message repeats a part of the URL: what was meant to be the password may stand anywhere in
/// it.
[[noreturn]] void fail(std::string_view what) {
  throw ConfigError(fmt::format("bad Redis URL: {}", what));
}

/// What stands before the first `separator`; `rest` becomes what follows it (nothing if there is
/// none).
std::string_view take_until(std::string_view& rest, char separator) {
  const auto at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const auto digits = text.substr(i + 1, 2);
    unsigned value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || digits.size() != 2 || end != digits.data() + 2) {
      fail("a % must be followed by two hexadecimal digits (write %25 for a % itself)");
    }
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

/// Takes `user:password@` off the front. The last @ counts, so that a password may hold one; a
/// socket's path may too, and starts with a slash.
void take_credentials(std::string_view& rest, Url& url) {
  const auto at = rest.rfind('@');
  if (at == std::string_view::npos || rest.starts_with('/')) return;
  std::string_view credentials = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  url.user = percent_decode(take_until(credentials, ':'));
  url.password = Secret(percent_decode(credentials));
  if (!url.user.empty() && url.password.empty()) {
    fail(
        "a user needs a password: write user:password@ before the host (:password@ for a password "
        "alone)");
  }
}

int parse_database(std::string_view text) {
  if (text.empty()) return 0;
  const auto number = parse_number<int>(text);
  if (!number || *number < 0) fail("the database must be a number from 0 on");
  return *number;
}

Address parse_address(std::string_view text, int default_port) {
  Address address{"", default_port};
  std::string_view port;
  if (text.starts_with('[')) {  // [::1]:6379
    text.remove_prefix(1);
    address.host = take_until(text, ']');
    if (text.data() == nullptr) fail("the [ of an IPv6 address is not closed");
    port = text.starts_with(':') ? text.substr(1) : text;
  } else {
    address.host = take_until(text, ':');
    port = text;
  }
  if (address.host.empty()) fail("there is no host in it");
  if (!port.empty()) {
    const auto number = parse_number<int>(port);
    if (!number || *number < 1 || *number > 65535)
      fail("the port must be a number from 1 to 65535 (a password is followed by @)");
    address.port = *number;
  }
  return address;
}

void parse_hosts(std::string_view list, Url& url) {
  const int default_port = url.scheme == Scheme::kSentinel ? 26379 : 6379;
  do {
    url.hosts.push_back(parse_address(take_until(list, ','), default_port));
  } while (!list.empty());
}

void parse_options(std::string_view list, Url& url) {
  while (!list.empty()) {
    std::string_view value = take_until(list, '&');
    const std::string_view name = take_until(value, '=');
    if (name == "db") {
      url.database = parse_database(value);
    } else if (url.scheme == Scheme::kScratch && !name.empty()) {
      url.options.emplace_back(name, percent_decode(value));
    } else {
      fail("after the ? there can only be db=NUMBER");
    }
  }
}

std::string credentials_for_people(const Url& url) {
  if (url.password.empty()) return "";
  return fmt::format("{}:***@", url.user);
}

std::string join_hosts(const std::vector<Address>& hosts) {
  std::string text;
  for (const Address& address : hosts) {
    const bool v6 = address.host.find(':') != std::string::npos;
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",",
                        v6 ? "[" + address.host + "]" : address.host, address.port);
  }
  return text;
}

}  // namespace

Url parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  std::optional<Scheme> scheme;
  for (const auto& [prefix, known] : kSchemes) {
    if (!scheme && rest.starts_with(prefix)) {
      scheme = known;
      rest.remove_prefix(prefix.size());
    }
  }
  if (!scheme) {
    fail(
        "it must start with redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// or "
        "scratch:");
  }
  url.scheme = *scheme;
  if (url.scheme != Scheme::kScratch) take_credentials(rest, url);
  std::string_view before_options = take_until(rest, '?');
  parse_options(rest, url);
  rest = before_options;
  switch (url.scheme) {
    case Scheme::kScratch:
    case Scheme::kUnix:
      url.path = percent_decode(rest);
      if (url.scheme == Scheme::kUnix && !url.path.starts_with('/')) {
        fail("unix:// needs the socket's absolute path: unix:///run/redis/redis.sock");
      }
      break;
    case Scheme::kSentinel:
      parse_hosts(take_until(rest, '/'), url);
      url.master = take_until(rest, '/');
      if (url.master.empty())
        fail("redis+sentinel:// needs the master's name: redis+sentinel://host/mymaster");
      url.database = parse_database(rest);
      break;
    case Scheme::kTcp:
    case Scheme::kTls:
    case Scheme::kCluster:
      parse_hosts(take_until(rest, '/'), url);
      if (url.hosts.size() > 1 && url.scheme != Scheme::kCluster)
        fail("only one host can be given");
      if (!rest.empty()) url.database = parse_database(rest);
      break;
  }
  return url;
}

std::string Url::to_string() const {
  std::string text(prefix_of(scheme));
  text += credentials_for_people(*this);
  text += hosts.empty() ? path : join_hosts(hosts);
  if (!master.empty()) text += "/" + master;
  char separator = '?';
  for (const auto& [name, value] : options) {
    const bool secret =
        name.find("pass") != std::string::npos || name.find("auth") != std::string::npos;
    text += fmt::format("{}{}={}", separator, name, secret ? "***" : value);
    separator = '&';
  }
  if (database != 0) {
    text +=
        hosts.empty() ? fmt::format("{}db={}", separator, database) : fmt::format("/{}", database);
  }
  return text;
}

std::string Url::where() const {
  if (!hosts.empty()) return join_hosts(hosts);
  return scheme == Scheme::kScratch ? "scratch server" : path;
}

}  // namespace moonshift::redis
