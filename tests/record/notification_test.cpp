#include "record/notification.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"

using namespace moonshift;
using Json = nlohmann::json;
using health::Level;
using record::When;

namespace {

record::Report failed_report() {
  record::Report report;
  report.id = "20261101T023000Z-5f3a1c";
  report.name = "nightly";
  report.description = "Nightly maintenance";
  report.is_job = true;
  report.redis = "redis://:***@host:6379";
  report.started = base::parse_time("2026-11-01T02:30:00Z");
  report.duration = std::chrono::milliseconds(2310);
  record::StepReport step;
  step.run.script = "bullmq/clean";
  step.run.tally.found = 3;
  step.run.tally.outcomes = {{"removed", 2}};
  step.run.tally.add_failure({"emails", "7"}, "it is \"odd\"\nand more", "");
  report.steps.push_back(step);
  report.findings.push_back(
      {Level::kCritical, "checks/memory", "memory used", "97 %", "95 %", "do something", {}});
  report.findings.push_back({Level::kWarning, "checks/clients", "clients", "81 %", "80 %", "", {}});
  report.errors = {"checks/queues: oh\nstack traceback"};
  report.exit_code = base::ExitCode::kFailed;
  return report;
}

record::Report good_report() {
  record::Report report;
  report.name = "nightly";
  report.findings.push_back({Level::kOk, "checks/memory", "memory used", "9 %", "95 %", "", {}});
  return report;
}

std::string template_refusal(const std::string& text) {
  try {
    record::check_template(text);
  } catch (const base::ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("the verdict is the worst finding, and critical if the run failed") {
  record::Report report = good_report();
  CHECK(record::verdict_of(report) == Level::kOk);
  report.findings[0].level = Level::kWarning;
  CHECK(record::verdict_of(report) == Level::kWarning);
  report.exit_code = base::ExitCode::kNoRedis;
  CHECK(record::verdict_of(report) == Level::kCritical);
}

TEST_CASE("the summary says what, where, how it ended and why") {
  CHECK(record::summary_of(failed_report()) ==
        "nightly on redis://:***@host:6379: a script or a step failed; "
        "bullmq/clean: found 3: 2 removed, 1 failed; checks/queues: oh");
  CHECK(record::summary_of(good_report()) == "nightly: the checks hold");
}

TEST_CASE("errors: what stopped it, what failed, what is critical; a line each") {
  CHECK(record::errors_of(failed_report()) ==
        std::vector<std::string>{
            "checks/queues: oh", "bullmq/clean: emails 7: it is \"odd\"",
            "critical: checks/memory: memory used 97 % (limit 95 %): do something"});
  CHECK(record::errors_of(good_report()).empty());
}

TEST_CASE("which runs are told") {
  struct Case {
    Level verdict;
    std::optional<Level> last;
    bool failure, change;
  };
  for (const Case& c : {
           Case{Level::kOk, {}, false, false},
           Case{Level::kWarning, {}, false, true},
           Case{Level::kCritical, {}, true, true},
           Case{Level::kOk, Level::kOk, false, false},
           Case{Level::kOk, Level::kWarning, false, true},
           Case{Level::kOk, Level::kCritical, false, true},
           Case{Level::kWarning, Level::kOk, false, true},
           Case{Level::kWarning, Level::kWarning, false, false},
           Case{Level::kWarning, Level::kCritical, false, true},
           Case{Level::kCritical, Level::kOk, true, true},
           Case{Level::kCritical, Level::kWarning, true, true},
           Case{Level::kCritical, Level::kCritical, true, false},
       }) {
    CAPTURE(health::name_of(c.verdict));
    CHECK(record::is_due(When::kFailure, c.verdict, c.last) == c.failure);
    CHECK(record::is_due(When::kChange, c.verdict, c.last) == c.change);
    CHECK(record::is_due(When::kAlways, c.verdict, c.last));
  }
}

TEST_CASE("without a template, a webhook gets the report as JSON") {
  const auto request = record::webhook_request("https://host/hook", "", failed_report());
  CHECK(request.url == "https://host/hook");
  CHECK(request.headers == std::vector<std::string>{"Content-Type: application/json"});
  CHECK(request.body == record::to_json(failed_report()));
}

TEST_CASE("in a JSON template, placeholders are escaped inside quotes, and are values outside") {
  record::Report report = failed_report();
  report.name = "a \"b\" \\ \n\x01 é \xff";
  const auto request = record::webhook_request(
      "https://host",
      R"( {"text": "*${job}* \"${verdict}\" (${exit_code}): ${errors}", "job": ${job},
           "code": ${exit_code}, "list": ${errors}, "started": ${started}, "took": "${duration}",
           "run": "${run}", "redis": "${redis}", "summary": ${summary}})",
      report);
  CHECK(request.headers == std::vector<std::string>{"Content-Type: application/json"});
  const Json body = Json::parse(request.body);
  CHECK(body["job"] == "a \"b\" \\ \n\x01 é \uFFFD");
  CHECK(body["text"] ==
        "*a \"b\" \\ \n\x01 é \uFFFD* \"critical\" (1): checks/queues: oh\n"
        "bullmq/clean: emails 7: it is \"odd\"\n"
        "critical: checks/memory: memory used 97 % (limit 95 %): do something");
  CHECK(body["code"] == 1);
  CHECK(body["list"].size() == 3);
  CHECK(body["started"] == "2026-11-01T02:30:00.000Z");
  CHECK(body["took"] == "2.31 s");
  CHECK(body["run"] == report.id);
  CHECK(body["redis"] == report.redis);
}

TEST_CASE("a template that is no JSON is filled as text") {
  const auto request =
      record::webhook_request("https://host", "${job}: ${errors} $ ${exit_code}", failed_report());
  CHECK(request.headers == std::vector<std::string>{"Content-Type: text/plain; charset=utf-8"});
  CHECK(request.body.starts_with(
      "nightly: checks/queues: oh\nbullmq/clean: emails 7: it is \"odd\"\n"));
  CHECK(request.body.ends_with(" $ 1"));
}

TEST_CASE("what is wrong in a template") {
  CHECK(template_refusal(R"({"text": "${summary}"})") == "accepted");
  CHECK(template_refusal("") == "accepted");
  CHECK(template_refusal("${jbo}") ==
        "there is no ${jbo} (did you mean job?); there are: job, run, verdict, exit_code, redis, "
        "started, duration, summary, errors");
  CHECK(template_refusal("${job").find("no '}'") != std::string::npos);
  CHECK(template_refusal(R"({"text": "${summary}")").find("it begins as JSON") == 0);
}

TEST_CASE("pings") {
  const auto target = [](const std::string& url, const std::string& action) {
    return record::ping_request(url, action, "0-1", "said").url;
  };
  CHECK(target("https://hc.example/uuid", "") == "https://hc.example/uuid?rid=0-1");
  CHECK(target("https://hc.example/uuid/", "start") == "https://hc.example/uuid/start?rid=0-1");
  CHECK(target("https://hc.example/uuid", "5") == "https://hc.example/uuid/5?rid=0-1");
  CHECK(target("https://hc.example/k/slug?create=1", "fail") ==
        "https://hc.example/k/slug/fail?create=1&rid=0-1");
  CHECK(record::ping_request("https://hc.example/uuid", "", "0-1", "said").body == "said");
}

TEST_CASE("Sentry gets an envelope with one event, at the address that the DSN means") {
  const auto request =
      record::sentry_request("https://key@host.example:8443/sub/42",
                             "01234567-89ab-4def-8123-456789abcdef", failed_report());
  CHECK(request.url == "https://host.example:8443/sub/api/42/envelope/");
  CHECK_FALSE(request.follow_redirects);
  REQUIRE(request.headers.size() == 2);
  CHECK(request.headers[0] == "Content-Type: application/x-sentry-envelope");
  CHECK(request.headers[1].starts_with(
      "X-Sentry-Auth: Sentry sentry_version=7, sentry_key=key, sentry_client=moonshift/"));

  std::istringstream lines(request.body);
  std::vector<Json> parts;
  for (std::string line; std::getline(lines, line);) parts.push_back(Json::parse(line));
  REQUIRE(parts.size() == 3);
  CHECK(parts[0]["event_id"] == "0123456789ab4def8123456789abcdef");
  CHECK(parts[1]["type"] == "event");
  const Json& event = parts[2];
  CHECK(event["event_id"] == parts[0]["event_id"]);
  CHECK(event["level"] == "error");
  CHECK(event["timestamp"] == "2026-11-01T02:30:02.310Z");
  CHECK(event["message"]["formatted"] == record::summary_of(failed_report()));
  CHECK(event["tags"]["job"] == "nightly");
  CHECK(event["tags"]["exit_code"] == "1");
  CHECK(event["fingerprint"] == Json{"moonshift", "nightly", "1"});
  CHECK(event["extra"]["errors"].size() == 3);
}

TEST_CASE("a DSN that is none is refused, and not shown") {
  for (const char* dsn : {"", "secret", "https://host/secret", "https://secret@host",
                          "https://secret@host/", "ftp://secret@host/1"}) {
    CAPTURE(dsn);
    CHECK_THROWS_WITH_AS(record::check_dsn(dsn), "it must be a DSN: https://KEY@HOST/PROJECT",
                         base::ConfigError);
  }
  CHECK_NOTHROW(record::check_dsn("https://key:old-secret@host/1"));
}
