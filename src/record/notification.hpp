#pragma once

#include <optional>
#include <string>
#include <vector>

#include "record/http.hpp"
#include "record/report.hpp"

namespace moonshift::record {

/// Which runs are told.
enum class When { kFailure, kChange, kAlways };

/// [notify]: who hears of a job's runs, and of which. Nothing stands for "not said", an empty value
/// for "nobody".
struct NotifySettings {
  std::optional<std::string> webhook{};
  std::optional<std::string> body_template{};  ///< of the webhook; else the report as JSON
  std::optional<std::string> ping{};
  std::optional<std::string> sentry{};
  std::optional<std::vector<std::string>> exec{};
  std::optional<When> when{};
  std::optional<base::Duration> timeout{};  ///< for each of them, with all its retries
};

/// Whether such a run is told. `last` is the verdict of the job's run before; a first one is
/// compared with a good one.
bool is_due(When when, health::Level verdict, std::optional<health::Level> last);

/// Throws ConfigError that names an unknown ${placeholder}, or if a template that begins as JSON
/// does not become JSON.
void check_template(const std::string& text);

/// The template with its placeholders replaced. In one that begins as JSON they are escaped inside
/// quotes, and are JSON values outside.
std::string fill_template(const std::string& text, const Report& report);

/// The body is the filled template, or the report as JSON if there is none.
HttpRequest webhook_request(const std::string& url, const std::string& body_template,
                            const Report& report);

/// A ping as https://healthchecks.io takes them. `action` is `start`, `fail`, an exit status, or
/// empty for success.
HttpRequest ping_request(const std::string& url, const std::string& action,
                         const std::string& run_uuid, const std::string& body);

/// An event for Sentry. Throws ConfigError if `dsn` is none.
HttpRequest sentry_request(const std::string& dsn, const std::string& run_uuid,
                           const Report& report);

/// Throws ConfigError unless it is `https://KEY@HOST/PROJECT`; nothing of it is in the message.
void check_dsn(const std::string& dsn);

}  // namespace moonshift::record
