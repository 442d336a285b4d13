#include "record/notification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/host.hpp"

namespace moonshift::record {

namespace {

using Json = nlohmann::ordered_json;
using health::Level;

/// The parts of https://KEY@HOST:PORT/PATH/PROJECT.
struct Dsn {
  std::string key;
  std::string endpoint;
};

std::optional<Dsn> parse_dsn(const std::string& text) {
  const auto url = parse_http_url(text);
  if (!url || url->user.empty()) return std::nullopt;
  const auto slash = url->path.rfind('/');
  const std::string project = url->path.substr(slash + 1);
  if (project.empty()) return std::nullopt;
  return Dsn{url->user, fmt::format("{}{}/api/{}/envelope/", url->origin(),
                                    url->path.substr(0, slash), project)};
}

Dsn require_dsn(const std::string& text) {
  if (const auto dsn = parse_dsn(text)) return *dsn;
  throw base::ConfigError("it must be a DSN: https://KEY@HOST/PROJECT");
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json sentry_event(const std::string& event_id, const Report& report) {
  const std::string exit_code = std::to_string(static_cast<int>(report.exit_code));
  const auto ended =
      std::chrono::time_point_cast<base::UnixTime::duration>(report.started + report.duration);
  return {{"event_id", event_id},
          {"timestamp", base::format_time(ended)},
          {"platform", "other"},
          {"level", "error"},
          {"logger", "moonshift"},
          {"server_name", base::host_name()},
          {"transaction", report.name},
          {"message", {{"formatted", summary_of(report)}}},
          // One issue for each job and way to fail, whatever the numbers in the message.
          {"fingerprint", {"moonshift", report.name, exit_code}},
          {"tags",
           {{"job", report.name},
            {"run", report.id},
            {"redis", report.redis},
            {"verdict", health::name_of(verdict_of(report))},
            {"exit_code", exit_code}}},
          {"extra",
           {{"description", report.description},
            {"started", base::format_time(report.started)},
            {"duration", base::describe_duration(report.duration)},
            {"errors", errors_of(report)}}}};
}

}  // namespace

bool is_due(When when, Level verdict, std::optional<Level> last) {
  switch (when) {
    case When::kFailure:
      return verdict == Level::kCritical;
    case When::kChange:
      return verdict != last.value_or(Level::kOk);
    case When::kAlways:
      break;
  }
  return true;
}

HttpRequest ping_request(const std::string& url, const std::string& action,
                         const std::string& run_uuid, const std::string& body) {
  const auto query = std::min(url.find_first_of("?#"), url.size());
  std::string path = url.substr(0, query);
  while (path.ends_with('/')) path.pop_back();
  if (!action.empty()) path += "/" + action;
  const std::string given = query < url.size() && url[query] == '?'
                                ? url.substr(query, url.find('#') - query) + "&"
                                : "?";
  return {fmt::format("{}{}rid={}", path, given, run_uuid),
          {"Content-Type: text/plain; charset=utf-8"},
          body};
}

HttpRequest sentry_request(const std::string& dsn_text, const std::string& run_uuid,
                           const Report& report) {
  const Dsn dsn = require_dsn(dsn_text);
  std::string event_id = run_uuid;
  std::erase(event_id, '-');
  const std::string body =
      dump({{"event_id", event_id}, {"sent_at", base::format_time(base::system_now())}}) + "\n" +
      dump({{"type", "event"}, {"content_type", "application/json"}}) + "\n" +
      dump(sentry_event(event_id, report)) + "\n";
  return {.url = dsn.endpoint,
          .headers = {"Content-Type: application/x-sentry-envelope",
                      fmt::format("X-Sentry-Auth: Sentry sentry_version=7, sentry_key={}, "
                                  "sentry_client=moonshift/" MOONSHIFT_VERSION,
                                  dsn.key)},
          .body = body,
          // curl would hand the key to whomever the answer points to.
          .follow_redirects = false};
}

void check_dsn(const std::string& dsn) { require_dsn(dsn); }

}  // namespace moonshift::record
