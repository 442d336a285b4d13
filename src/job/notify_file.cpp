#include "job/notify_file.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/log.hpp"
#include "job/job_file.hpp"
#include "job/table_reader.hpp"

namespace moonshift::job {

namespace {

namespace fs = std::filesystem;
using base::ConfigError;
using record::NotifySettings;
using record::When;

std::optional<std::string> read_text(const TableReader& table, std::string_view key) {
  if (table.find(key) == nullptr) return std::nullopt;
  return table.text(key);
}

/// A URL that names variables is looked at when they are there.
std::optional<std::string> read_url(const TableReader& table, std::string_view key) {
  const auto url = read_text(table, key);
  if (!url || url->empty()) return url;
  table.checked(key, [&] {
    if (!names_environment(*url) && !record::parse_http_url(*url))
      throw ConfigError("it must be an http:// or https:// URL");
  });
  return url;
}

std::optional<std::string> read_dsn(const TableReader& table) {
  const auto dsn = read_text(table, "sentry");
  if (!dsn || dsn->empty()) return dsn;
  table.checked("sentry", [&] {
    if (!names_environment(*dsn)) record::check_dsn(*dsn);
  });
  return dsn;
}

std::optional<std::string> read_template(const TableReader& table) {
  const auto text = read_text(table, "template");
  if (text) table.checked("template", [&] { record::check_template(*text); });
  return text;
}

std::optional<std::vector<std::string>> read_exec(const TableReader& table) {
  const toml::node* node = table.find("exec");
  if (node == nullptr) return std::nullopt;
  constexpr const char* kForm = R"(exec must be a list of text: exec = ["program", "argument"])";
  if (!node->is_array()) table.fail_at(*node, kForm);
  std::vector<std::string> words;
  for (const toml::node& element : *node->as_array()) {
    if (!element.is_string()) table.fail_at(element, kForm);
    words.push_back(element.as_string()->get());
  }
  if (!words.empty() && words.front().empty())
    table.fail_at(*node, "exec: the name of the program is empty");
  return words;
}

std::optional<When> read_when(const TableReader& table) {
  const auto name = read_text(table, "when");
  if (!name) return std::nullopt;
  if (*name == "failure") return When::kFailure;
  if (*name == "change") return When::kChange;
  if (*name == "always") return When::kAlways;
  table.fail_at(*table.find("when"),
                fmt::format("when must be failure, change or always, not '{}'", *name));
}

std::optional<base::Duration> read_timeout(const TableReader& table) {
  const auto timeout = table.duration("timeout");
  if (!timeout) return std::nullopt;
  if (timeout->count() == 0) table.fail_at(*table.find("timeout"), "timeout must be above 0");
  if (*timeout > std::chrono::hours(1))
    table.fail_at(*table.find("timeout"), "timeout must be at most 1h: the job waits for it");
  return timeout;
}

template <class Value>
void prefer(std::optional<Value>& own, const std::optional<Value>& shared) {
  if (!own) own = shared;
}

NotifySettings merge(NotifySettings own, const NotifySettings& shared) {
  prefer(own.webhook, shared.webhook);
  prefer(own.body_template, shared.body_template);
  prefer(own.ping, shared.ping);
  prefer(own.sentry, shared.sentry);
  prefer(own.exec, shared.exec);
  prefer(own.when, shared.when);
  prefer(own.timeout, shared.timeout);
  return own;
}

/// Nothing if it is wrong: read_job() says so.
NotifySettings read_own_notify(const fs::path& job_file) try {
  const std::string path = job_file.string();
  const toml::table root = parse_toml(path);
  return read_notify(TableReader(path, root, "a job"));
} catch (const ConfigError&) {
  return {};
}

NotifySettings shared_notify_or_warning(const fs::path& directory) try {
  return read_shared_notify(directory);
} catch (const ConfigError& error) {
  base::log_warning("notify: {}", error.what());
  return {};
}

void expand(std::optional<std::string>& url, std::string_view key) {
  if (!url) return;
  try {
    url = expand_environment(*url, fmt::format("[notify] {}", key), "set it");
  } catch (const ConfigError& error) {
    base::log_warning("notify: {}", error.what());
    url.reset();
  }
}

}  // namespace

NotifySettings read_notify(const TableReader& file) {
  NotifySettings settings;
  const toml::node* node = file.find("notify");
  if (node == nullptr) return settings;
  if (!node->is_table())
    file.fail_at(*node, "it is written [notify], with keys such as webhook = \"https://...\"");
  const TableReader table(file.path(), *node->as_table(), "[notify]");
  table.allow({"webhook", "template", "ping", "sentry", "exec", "when", "timeout"});
  settings.webhook = read_url(table, "webhook");
  settings.body_template = read_template(table);
  settings.ping = read_url(table, "ping");
  settings.sentry = read_dsn(table);
  settings.exec = read_exec(table);
  settings.when = read_when(table);
  settings.timeout = read_timeout(table);
  return settings;
}

NotifySettings read_shared_notify(const fs::path& directory) {
  const std::string path = (directory / kSharedFile).string();
  if (!fs::exists(path)) return {};
  const toml::table root = parse_toml(path);
  const TableReader reader(path, root, kSharedFile);
  reader.allow({"notify"});
  return read_notify(reader);
}

NotifySettings notify_settings(const fs::path& job_file) {
  NotifySettings settings =
      merge(read_own_notify(job_file), shared_notify_or_warning(job_file.parent_path()));
  expand(settings.webhook, "webhook");
  expand(settings.ping, "ping");
  expand(settings.sentry, "sentry");
  return settings;
}

}  // namespace moonshift::job
