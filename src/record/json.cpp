#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "record/report.hpp"
#include "redis/base64.hpp"

namespace moonshift::record {

namespace {

using Json = nlohmann::ordered_json;

/// A string if it is UTF-8; else {"b64": "..."}.
Json to_json(const std::string& bytes) {
  if (base::is_utf8(bytes)) return bytes;
  return Json{{"b64", redis::base64_encode(bytes)}};
}

Json to_json(const task::Item& item) {
  Json words = Json::array();
  for (const std::string& word : item) words.push_back(to_json(word));
  return words;
}

Json to_json(const std::vector<task::Item>& items) {
  Json list = Json::array();
  for (const task::Item& item : items) list.push_back(to_json(item));
  return list;
}

Json to_json(const lua::Value& value) {
  if (const auto* text = value.as<std::string>()) return to_json(*text);
  if (const auto* number = value.as<double>()) {
    return std::trunc(*number) == *number ? Json(static_cast<std::int64_t>(*number))
                                          : Json(*number);
  }
  if (const auto* flag = value.as<bool>()) return *flag;
  if (const auto* fields = value.as<lua::Value::Record>()) {
    Json object = Json::object();
    for (const auto& [name, field] : *fields) object[base::printable(name)] = to_json(field);
    return object;
  }
  Json list = Json::array();
  if (const auto* elements = value.as<lua::Value::List>()) {
    for (const lua::Value& element : *elements) list.push_back(to_json(element));
  }
  return list;
}

double milliseconds(base::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

Json to_json(const redis::Latency& latency) {
  return {{"samples", latency.samples},
          {"p50_ms", milliseconds(latency.p50)},
          {"p99_ms", milliseconds(latency.p99)},
          {"max_ms", milliseconds(latency.worst)}};
}

Json to_json(const task::Verification& verification) {
  return {{"done", verification.done},           {"holds", verification.holds},
          {"passes", verification.passes},       {"arrived", verification.arrived},
          {"remaining", verification.remaining}, {"examples", to_json(verification.examples)},
          {"task_says", verification.task_says}};
}

/// The start of `file:line: text`, or "".
std::string position_of(const std::string& error) {
  const auto line = error.find(':');
  const auto end = line == std::string::npos ? line : error.find(':', line + 1);
  if (end == std::string::npos || end == line + 1) return "";
  const bool digits = std::all_of(error.begin() + static_cast<std::ptrdiff_t>(line) + 1,
                                  error.begin() + static_cast<std::ptrdiff_t>(end),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  return digits ? error.substr(0, end) : "";
}

Json to_json(const std::vector<task::Failure>& failures) {
  Json list = Json::array();
  for (const task::Failure& failure : failures) {
    list.push_back({{"item", to_json(failure.item)},
                    {"error", to_json(failure.error)},
                    {"where", position_of(failure.error)},
                    {"traceback", to_json(failure.traceback)}});
  }
  return list;
}

Json to_json(const std::map<std::string, std::int64_t>& counts) {
  Json object = Json::object();
  for (const auto& [name, count] : counts) object[base::printable(name)] = count;
  return object;
}

std::string stop_reason(const task::RunResult& run) {
  using Reason = base::Aborted::Reason;
  if (!run.stopped) return "";
  return *run.stopped == Reason::kDeadline    ? "deadline"
         : *run.stopped == Reason::kSignal    ? "signal"
         : *run.stopped == Reason::kLeaseLost ? "lease lost"
                                              : "failures";
}

Json to_json(const StepReport& step) {
  const task::RunResult& run = step.run;
  Json parameters = Json::object();
  for (const auto& [name, value] : run.parameters) parameters[name] = to_json(value);
  Json json{{"script", run.script},
            {"engine", task::name_of(run.engine)},
            {"parameters", std::move(parameters)},
            {"now", base::format_time(run.now)},
            {"dry_run", run.dry_run},
            {"found", run.tally.found},
            {"limit_reached", run.limit_reached},
            {"outcomes", to_json(run.tally.outcomes)},
            {"reasons", to_json(run.tally.reasons)},
            {"failed", run.tally.failed},
            {"failures", to_json(run.tally.failures)},
            {"interrupted", run.tally.interrupted},
            {"stopped", stop_reason(run)},
            {"stopped_in", to_json(run.stopped_in)},
            {"error", to_json(run.script_error.value_or(run.redis_error.value_or("")))},
            {"passes", run.verification.passes + 1},
            {"batches", run.batches},
            {"commands", run.traffic.commands},
            {"bytes",
             {{"sent", run.traffic.sent.count},
              {"received", run.traffic.received.count},
              {"freed", step.freed.count}}},
            {"durations", {{"total_ms", milliseconds(run.duration)}}},
            {"latency", to_json(step.latency)},
            {"verification", to_json(run.verification)},
            {"exit_code", static_cast<int>(step.exit_code)}};
  if (run.dry_run) json["sample"] = to_json(run.sample);
  return json;
}

Json to_json(const std::optional<ServerSnapshot>& snapshot) {
  if (!snapshot) return nullptr;
  return {
      {"version", snapshot->version}, {"memory", snapshot->memory.count}, {"keys", snapshot->keys}};
}

Json to_json(const std::vector<health::Finding>& findings) {
  Json list = Json::array();
  for (const health::Finding& finding : findings) {
    list.push_back({{"level", health::name_of(finding.level)},
                    {"check", finding.check},
                    {"what", finding.what},
                    {"value", finding.value},
                    {"limit", finding.limit},
                    {"hint", finding.hint}});
    if (!finding.data.is_nil()) list.back()["data"] = to_json(finding.data);
  }
  return list;
}

}  // namespace

std::string error_to_json(const std::string& error, base::ExitCode exit_code) {
  return Json{{"error", error}, {"exit_code", static_cast<int>(exit_code)}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const Report& report) {
  Json json{{"id", report.id}};
  if (report.is_job) {
    json["job"] = report.name;
    json["description"] = report.description;
    json["steps"] = Json::array();
    for (const StepReport& step : report.steps) json["steps"].push_back(to_json(step));
  } else {
    for (const StepReport& step : report.steps) json.update(to_json(step));
  }
  json["redis"] = report.redis;
  json["started"] = base::format_time(report.started);
  json["duration_ms"] = milliseconds(report.duration);
  json["before"] = to_json(report.before);
  json["after"] = to_json(report.after);
  json["findings"] = to_json(report.findings);
  json["errors"] = errors_of(report);
  json["verdict"] = health::name_of(verdict_of(report));
  json["exit_code"] = static_cast<int>(report.exit_code);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace moonshift::record
