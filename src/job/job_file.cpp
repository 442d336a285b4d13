#include "job/job_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "job/notify_file.hpp"
#include "job/table_reader.hpp"
#include "lua/script_error.hpp"
#include "redis/url.hpp"

namespace moonshift::job {

namespace {

namespace fs = std::filesystem;
using base::ConfigError;

lua::Value to_value(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return static_cast<double>(integer->get());
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  lua::Value::List list;
  if (const auto* array = node.as_array()) {
    for (const toml::node& element : *array) list.push_back(to_value(element));
  }
  return list;
}

task::GivenParameters read_params(const TableReader& reader) {
  task::GivenParameters params;
  const toml::node* node = reader.find("params");
  if (node == nullptr) return params;
  const toml::table* table = node->as_table();
  if (table == nullptr)
    reader.fail_at(*node, "params must be a table: params = { older_than = \"7d\" }");
  for (const auto& [key, value] : *table) {
    if (value.is_table() || value.is_date_time() || value.is_date() || value.is_time()) {
      reader.fail_at(value,
                     fmt::format("the parameter '{}' must be text, a number, true, false or a list",
                                 key.str()));
    }
    params[std::string(key.str())] = to_value(value);
  }
  return params;
}

task::EngineChoice read_engine(const TableReader& reader) {
  const std::string name = reader.text("engine");
  if (name.empty()) return task::EngineChoice::kAuto;
  for (const auto choice :
       {task::EngineChoice::kAuto, task::EngineChoice::kLocal, task::EngineChoice::kServer}) {
    if (name == task::name_of(choice)) return choice;
  }
  reader.fail_at(*reader.find("engine"),
                 fmt::format("engine must be auto, local or server, not '{}'", name));
}

std::vector<Step> read_steps(const std::string& path, const TableReader& file,
                             const toml::table& root) {
  std::vector<Step> steps;
  const toml::node* node = root.get("step");
  if (node == nullptr) return steps;
  const toml::array* array = node->as_array();
  if (array == nullptr || !array->is_array_of_tables())
    file.fail_at(*node, "steps are written [[step]]");
  for (const toml::node& element : *array) {
    const TableReader reader(path, *element.as_table(), "[[step]]");
    reader.allow({"script", "params", "engine", "limit", "rate"});
    Step& step = steps.emplace_back();
    step.script = reader.text("script", true);
    step.params = read_params(reader);
    step.engine = read_engine(reader);
    if (reader.find("limit") != nullptr) step.limit = reader.integer("limit", 1);
    step.rate = reader.number_above_zero("rate");
    step.where = reader.place("script");
    step.params_where = reader.place("params");
  }
  return steps;
}

/// `memory` is short for checks/memory.
std::string check_script(const std::string& name) {
  return name.find('/') == std::string::npos ? "checks/" + name : name;
}

std::vector<CheckCall> read_checks(const std::string& path, const TableReader& file,
                                   const toml::table& root) {
  std::vector<CheckCall> checks;
  const toml::node* node = root.get("verify");
  if (node == nullptr) return checks;
  if (!node->is_table()) file.fail_at(*node, "checks are written [verify] checks = [\"memory\"]");
  const TableReader verify(path, *node->as_table(), "[verify]");
  verify.allow({"checks"});
  const toml::node* list = verify.find("checks");
  if (list == nullptr) return checks;
  if (!list->is_array())
    verify.fail_at(*list, "checks must be a list: checks = [\"persistence\", \"memory\"]");
  for (const toml::node& element : *list->as_array()) {
    const std::string where = position(path, element.source());
    if (const auto* name = element.as_string()) {
      checks.push_back({check_script(name->get()), {}, where, where});
    } else if (const toml::table* table = element.as_table()) {
      const TableReader reader(path, *table, "a check");
      reader.allow({"check", "params"});
      checks.push_back({check_script(reader.text("check", true)), read_params(reader),
                        reader.place("check"), reader.place("params")});
    } else {
      verify.fail_at(element, "a check is a name, or { check = \"memory\", params = { ... } }");
    }
  }
  return checks;
}

std::optional<schedule::Zone> read_timezone(const TableReader& reader) {
  const std::string name = reader.text("timezone");
  if (name.empty()) return std::nullopt;
  try {
    return schedule::Zone::named(name);
  } catch (const ConfigError& error) {
    reader.fail_at(*reader.find("timezone"), error.what());
  }
}

std::optional<schedule::Schedule> read_schedule(const TableReader& reader) {
  const auto zone = read_timezone(reader);
  std::string key;
  for (const char* candidate : {"cron", "calendar", "every"}) {
    if (reader.find(candidate) == nullptr) continue;
    if (!key.empty()) {
      reader.fail_at(*reader.find(candidate),
                     fmt::format("give {} or {}, not both", key, candidate));
    }
    key = candidate;
  }
  if (key.empty()) return std::nullopt;
  const std::string text = reader.text(key);
  try {
    if (key == "calendar") return schedule::Schedule::calendar(text, zone);
    const schedule::Zone own = zone ? *zone : schedule::Zone::local();
    if (key == "cron") return schedule::Schedule::cron(text, own);
    return schedule::Schedule::every(text, own);
  } catch (const ConfigError& error) {
    reader.fail_at(*reader.find(key), error.what());
  }
}

bool read_flag(const TableReader& reader, std::string_view key) {
  const toml::node* node = reader.find(key);
  if (node == nullptr) return false;
  const auto* flag = node->as_boolean();
  if (flag == nullptr) reader.fail_at(*node, fmt::format("{} must be true or false", key));
  return flag->get();
}

Overlap read_overlap(const TableReader& reader) {
  const std::string word = reader.text("overlap");
  if (word.empty() || word == "skip") return Overlap::kSkip;
  if (word == "queue") return Overlap::kQueue;
  if (word == "allow") return Overlap::kAllow;
  reader.fail_at(*reader.find("overlap"),
                 fmt::format("overlap must be skip, queue or allow, not '{}'", word));
}

/// A shorter lease would be lost to an ordinary pause of the network.
constexpr auto kShortestLease = std::chrono::seconds(1);

std::optional<base::Duration> read_lease(const TableReader& reader) {
  const toml::node* node = reader.find("lease");
  if (node == nullptr) return Job().lease;
  if (const auto* flag = node->as_boolean()) {
    return flag->get() ? Job().lease : std::nullopt;
  }
  if (!node->is_string())
    reader.fail_at(*node, "lease must be true, false, or how long it lasts: lease = \"30s\"");
  const auto lease = reader.duration("lease");
  if (*lease < kShortestLease) reader.fail_at(*node, "lease must be 1s at least");
  return lease;
}

/// What the scheduler and the lease need to know.
void read_running(const TableReader& reader, Job& job) {
  job.catch_up = read_flag(reader, "catch_up");
  job.jitter = reader.duration("jitter").value_or(job.jitter);
  job.overlap = read_overlap(reader);
  if (reader.find("retries") != nullptr) job.retries = reader.integer("retries", 1);
  job.retry_delay = reader.duration("retry_delay").value_or(job.retry_delay);
  job.lease = read_lease(reader);
  if (job.overlap == Overlap::kAllow && job.lease) {
    reader.fail_at(*reader.find("overlap"),
                   "with overlap = \"allow\" write lease = false: a lease lets one run of the job "
                   "go on at a time");
  }
}

/// A URL that names variables is looked at when they are there.
std::string read_url(const TableReader& reader) {
  const std::string url = reader.text("url");
  reader.checked("url", [&] {
    if (!url.empty() && !names_environment(url)) redis::parse_url(url);
  });
  return url;
}

std::optional<base::Duration> read_timeout(const TableReader& reader) {
  const auto timeout = reader.duration("timeout");
  if (timeout && timeout->count() == 0)
    reader.fail_at(*reader.find("timeout"), "timeout must be above 0");
  return timeout;
}

/// Puts the place in the job file, if there is one, before what a script or a parameter says of
/// itself.
void at_place(const std::string& where, const std::function<void()>& look) {
  const std::string prefix = where.empty() ? "" : where + ": ";
  try {
    look();
  } catch (const ConfigError& error) {
    throw ConfigError(prefix + error.what());
  } catch (const lua::ScriptError& error) {
    throw ConfigError(prefix + error.what());
  }
}

void check_script_call(const task::Catalog& catalog, const std::string& name,
                       const task::GivenParameters& params, task::Script::Kind kind,
                       const std::string& where, const std::string& params_where) {
  std::optional<task::Script> script;
  at_place(where, [&] {
    script.emplace(catalog, name);
    task::require_kind(*script, kind);
  });
  at_place(params_where, [&] { script->parameters().resolve(params); });
}

/// Editors leave hidden files beside the one that they edit, some of them links to nothing.
bool is_job_file(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  std::error_code cannot_follow;
  return name.ends_with(".toml") && !name.starts_with('.') && name != kSharedFile &&
         entry.is_regular_file(cannot_follow);
}

bool is_name(std::string_view text) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  return !text.empty() && std::all_of(text.begin(), text.end(), fits);
}

/// The first `${NAME}`.
struct Placeholder {
  std::size_t begin, end;  ///< of all of it
  std::string name;
};

/// Throws ConfigError if what begins as one is none.
std::optional<Placeholder> find_placeholder(std::string_view text) {
  const auto begin = text.find("${");
  if (begin == std::string_view::npos) return std::nullopt;
  const auto end = text.find('}', begin);
  // What follows is not repeated: it may be a password.
  if (end == std::string_view::npos) throw ConfigError("a '${' has no '}'");
  const std::string_view name = text.substr(begin + 2, end - begin - 2);
  if (!is_name(name)) {
    throw ConfigError(
        "a '${...}' must hold the name of an environment variable: letters, digits and _");
  }
  return Placeholder{begin, end + 1, std::string(name)};
}

}  // namespace

Job read_job(const fs::path& file) {
  Job job;
  job.path = file.string();
  job.name = file.stem().string();
  const toml::table root = parse_toml(job.path);
  const TableReader reader(job.path, root, "a job");
  reader.allow({"description", "cron", "calendar", "every", "timezone", "catch_up", "jitter",
                "overlap", "retries", "retry_delay", "lease", "url", "timeout", "max_failures",
                "budget", "step", "verify", "notify"});
  job.description = reader.text("description");
  job.schedule = read_schedule(reader);
  job.timezone = reader.text("timezone");
  read_running(reader, job);
  job.url = read_url(reader);
  job.timeout = read_timeout(reader);
  job.max_failures = reader.integer("max_failures", job.max_failures);
  if (const toml::node* budget = root.get("budget")) {
    if (!budget->is_table()) reader.fail_at(*budget, "the budget is written [budget]");
    const TableReader limits(job.path, *budget->as_table(), "[budget]");
    limits.allow({"batch_time"});
    job.batch_time = limits.duration("batch_time").value_or(job.batch_time);
    if (job.batch_time.count() == 0)
      limits.fail_at(*limits.find("batch_time"), "batch_time must be above 0");
  }
  job.steps = read_steps(job.path, reader, root);
  job.checks = read_checks(job.path, reader, root);
  read_notify(reader);  // only checked here: see notify_settings()
  if (job.steps.empty() && job.checks.empty()) {
    throw ConfigError(
        fmt::format("{}:1:1: the job has neither a [[step]] nor [verify] checks", job.path));
  }
  return job;
}

std::vector<fs::path> job_files(const fs::path& directory) {
  if (!fs::is_directory(directory)) {
    throw ConfigError(fmt::format("{}: there is no such directory of jobs (see --schedules)",
                                  directory.string()));
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (is_job_file(entry)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

fs::path find_job(const std::string& name, const fs::path& directory) {
  if (name.ends_with(".toml")) {
    if (fs::is_regular_file(name)) return name;
    throw ConfigError(fmt::format("{}: there is no such file", name));
  }
  return find_named_job(name, directory);
}

fs::path find_named_job(const std::string& name, const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::path& file : job_files(directory)) {
    if (file.stem() == name) return file;
    names.push_back(file.stem().string());
  }
  throw ConfigError(fmt::format("there is no job '{}' in {}{}; it has: {}", name,
                                directory.string(), base::did_you_mean(name, names),
                                names.empty() ? "none" : base::join(names)));
}

void check_job(const Job& job, const task::Catalog& catalog) {
  for (const Step& step : job.steps) {
    check_script_call(catalog, step.script, step.params, task::Script::Kind::kTask, step.where,
                      step.params_where);
  }
  for (const CheckCall& check : job.checks) {
    check_script_call(catalog, check.script, check.params, task::Script::Kind::kCheck, check.where,
                      check.params_where);
  }
}

bool names_environment(std::string_view text) {
  bool found = false;
  while (const auto placeholder = find_placeholder(text)) {
    found = true;
    text.remove_prefix(placeholder->end);
  }
  return found;
}

std::string expand_environment(const std::string& text, const std::string& whose,
                               const std::string& remedy) {
  std::string expanded;
  std::string_view rest = text;
  while (const auto placeholder = find_placeholder(rest)) {
    const char* value = std::getenv(placeholder->name.c_str());
    if (value == nullptr)
      throw ConfigError(fmt::format("{} names the environment variable {}, which is not set: {}",
                                    whose, placeholder->name, remedy));
    expanded += rest.substr(0, placeholder->begin);
    expanded += value;
    rest.remove_prefix(placeholder->end);
  }
  return expanded += rest;
}

}  // namespace moonshift::job
