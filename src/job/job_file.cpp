#include "job/job_file.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "base/text.hpp"
#include "lua/script_error.hpp"

namespace moonshift::job {

namespace {

namespace fs = std::filesystem;
using base::ConfigError;

std::string position(const std::string& path, const toml::source_region& region) {
  return fmt::format("{}:{}:{}", path, region.begin.line, region.begin.column);
}

/// One table of the file, read key by key: unknown keys and wrong types are errors at their place.
class TableReader {
 public:
  TableReader(const std::string& path, const toml::table& table, std::string name)
      : path_(path), table_(table), name_(std::move(name)) {}

  /// Says which keys there may be; to be called before any is read.
  void allow(std::vector<std::string> known) const {
    for (const auto& [key, node] : table_) {
      const std::string text(key.str());
      if (std::find(known.begin(), known.end(), text) != known.end()) continue;
      throw ConfigError(fmt::format("{}: unknown key '{}' in {}{}; it may have: {}",
                                    position(path_, key.source()), text, name_,
                                    base::did_you_mean(text, known), base::join(known)));
    }
  }

  const toml::node* find(std::string_view key) const { return table_.get(key); }

  /// file:line:column of the key's value, or of the table if it has none.
  std::string place(std::string_view key) const {
    const toml::node* node = find(key);
    return position(path_, node == nullptr ? table_.source() : node->source());
  }

  std::string text(std::string_view key, bool required = false) const {
    const toml::node* node = find(key);
    if (node == nullptr) {
      if (required) fail_at(table_, fmt::format("{} needs '{}'", name_, key));
      return "";
    }
    const auto* value = node->as_string();
    if (value == nullptr) fail_at(*node, fmt::format("{} must be text in quotes", key));
    return value->get();
  }

  std::optional<base::Duration> duration(std::string_view key) const {
    if (find(key) == nullptr) return std::nullopt;
    try {
      return base::parse_duration(text(key));
    } catch (const ConfigError& error) {
      const std::string what = error.what();
      if (what.starts_with(path_)) throw;
      fail_at(*find(key), fmt::format("{}: {}", key, what));
    }
  }

  std::int64_t integer(std::string_view key, std::int64_t fallback) const {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    const auto* value = node->as_integer();
    if (value == nullptr || value->get() < 1)
      fail_at(*node, fmt::format("{} must be a whole number above 0", key));
    return value->get();
  }

  std::optional<double> number_above_zero(std::string_view key) const {
    const toml::node* node = find(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value<double>();
    if (!node->is_number() || !value || *value <= 0)
      fail_at(*node, fmt::format("{} must be a number above 0", key));
    return value;
  }

  [[noreturn]] void fail_at(const toml::node& node, const std::string& what) const {
    throw ConfigError(fmt::format("{}: {}", position(path_, node.source()), what));
  }

 private:
  const std::string& path_;
  const toml::table& table_;
  std::string name_;
};

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

/// Five or six fields of the characters that cron expressions are made of, or @daily and the like.
bool looks_like_cron(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> fields;
  for (std::string field; stream >> field;) fields.push_back(field);
  if (fields.size() == 1 && fields[0].starts_with('@')) return fields[0].size() > 1;
  return (fields.size() == 5 || fields.size() == 6) &&
         std::all_of(fields.begin(), fields.end(), [](const std::string& field) {
           return field.find_first_not_of(
                      "0123456789*,-/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") ==
                  std::string::npos;
         });
}

std::string read_schedule(const TableReader& reader) {
  const std::string cron = reader.text("cron"), calendar = reader.text("calendar");
  if (!cron.empty() && !calendar.empty()) {
    reader.fail_at(*reader.find("calendar"), "give cron or calendar, not both");
  }
  if (!cron.empty() && !looks_like_cron(cron)) {
    reader.fail_at(
        *reader.find("cron"),
        fmt::format("'{}' is no cron expression: write five fields, as in \"30 2 * * *\"", cron));
  }
  return cron.empty() ? calendar : cron;
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

}  // namespace

Job read_job(const fs::path& file) {
  Job job;
  job.path = file.string();
  job.name = file.stem().string();
  toml::table root;
  try {
    root = toml::parse_file(job.path);
  } catch (const toml::parse_error& error) {
    throw ConfigError(
        fmt::format("{}: {}", position(job.path, error.source()), error.description()));
  }
  const TableReader reader(job.path, root, "a job");
  reader.allow({"description", "cron", "calendar", "timezone", "url", "timeout", "max_failures",
                "budget", "step", "verify"});
  job.description = reader.text("description");
  job.schedule = read_schedule(reader);
  job.timezone = reader.text("timezone");
  job.url = reader.text("url");
  job.timeout = reader.duration("timeout");
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
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

fs::path find_job(const std::string& name, const fs::path& directory) {
  if (name.ends_with(".toml")) {
    if (fs::is_regular_file(name)) return name;
    throw ConfigError(fmt::format("{}: there is no such file", name));
  }
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

std::string expand_environment(const std::string& text) {
  std::string expanded;
  std::string_view rest = text;
  for (auto at = rest.find("${"); at != std::string_view::npos; at = rest.find("${")) {
    const auto end = rest.find('}', at);
    if (end == std::string_view::npos) break;
    const std::string name(rest.substr(at + 2, end - at - 2));
    const char* value = std::getenv(name.c_str());
    if (value == nullptr)
      throw ConfigError(
          fmt::format("the job's url names the environment variable {}, which is not set: set it, "
                      "or give --url",
                      name));
    expanded += rest.substr(0, at);
    expanded += value;
    rest.remove_prefix(end + 1);
  }
  return expanded += rest;
}

}  // namespace moonshift::job
