#include "record/report.hpp"

#include "record/table.hpp"

using namespace moonshift;
using namespace std::string_literals;

namespace {

record::Report example() {
  record::Report report;
  report.id = "20261101T023000Z-5f3a1c";
  report.name = "nightly";
  report.is_job = true;
  report.redis = "redis://:***@host:6379";
  record::StepReport step;
  step.run.script = "bullmq/clean";
  step.run.tally.found = 1234567;
  step.run.tally.outcomes = {{"removed", 1234566}, {"kept", 1}};
  step.run.tally.add_failure({"a\0\xff"s}, "scripts/x.lua:12: oh\nno",
                             "stack traceback:\n\tscripts/x.lua:12");
  step.run.verification.done = true;
  report.steps.push_back(step);
  report.findings.push_back({health::Level::kCritical,
                             "checks/memory",
                             "memory used",
                             "97 %",
                             "95 %",
                             "do something",
                             {}});
  report.exit_code = base::ExitCode::kFailed;
  return report;
}

}  // namespace

TEST_CASE("JSON is one line, and bytes that are no UTF-8 are base64") {
  const std::string json = record::to_json(example());
  CHECK(json.find('\n') == std::string::npos);
  CHECK(json.find(R"("item":[{"b64":"YQD/"}])") != std::string::npos);
  CHECK(json.find(R"("where":"scripts/x.lua:12")") != std::string::npos);
  CHECK(json.find(R"("verdict":"critical","exit_code":1)") != std::string::npos);
}

TEST_CASE("JSON tells of a run that failed what everybody is told") {
  record::Report report = example();
  report.findings.clear();
  report.errors = {"checks/memory: oh\nstack traceback"};
  const std::string json = record::to_json(report);
  CHECK(json.find(R"("errors":["checks/memory: oh","bullmq/clean: a\\x00\\xff: )"
                  R"(scripts/x.lua:12: oh"],"verdict":"critical")") != std::string::npos);
}

TEST_CASE("a run that left the work to another host has nothing to complain of") {
  record::Report report;
  report.exit_code = base::ExitCode::kLockHeld;
  CHECK(record::verdict_of(report) == health::Level::kOk);
  CHECK(record::to_json(report).find(R"("verdict":"ok","exit_code":6)") != std::string::npos);
}

TEST_CASE(
    "the text has the tally, the failure on lines of its own, and the finding with its hint") {
  const std::string text = record::to_text(example());
  CHECK(text.find("found 1,234,567: 1 kept, 1,234,566 removed, 1 failed") != std::string::npos);
  CHECK(text.find("  failed: a\\x00\\xff\n    scripts/x.lua:12: oh\\nno\n") != std::string::npos);
  CHECK(text.find("97 % (limit 95 %): do something") != std::string::npos);
  CHECK(text.find("a script or a step failed") != std::string::npos);
}

TEST_CASE("what a job calls itself cannot give orders to the terminal") {
  record::Report report = example();
  report.name = "a\x1b[2J";
  report.description = "Jürgen's\nred \x1b[31m";
  const std::string text = record::to_text(report);
  CHECK(text.starts_with("a\\x1b[2J: Jürgen's\\nred \\x1b[31m\n"));
}

TEST_CASE("a run's id sorts by time") {
  const auto id = record::make_run_id(base::parse_time("2026-11-01T02:30:00Z"));
  CHECK(id.starts_with("20261101T023000Z-"));
  CHECK(id.size() == 23);
}

TEST_CASE("numbers have commas") {
  CHECK(record::with_commas(0) == "0");
  CHECK(record::with_commas(999) == "999");
  CHECK(record::with_commas(1000) == "1,000");
  CHECK(record::with_commas(-1234567) == "-1,234,567");
}

TEST_CASE("columns of numbers are set to the right, others to the left") {
  record::Table table({"name", "count"});
  table.add({"a", "1"});
  table.add({"J\xC3\xBCrgen", "1,000"});
  CHECK(table.to_text() == "name    count\na           1\nJ\xC3\xBCrgen  1,000\n");
}

TEST_CASE("a cell stays in its line and its column, whatever is in it") {
  record::Table table({"name", "what"});
  table.add({"a\nb\x1b[31m", "x"});
  table.add({"J\xC3\xBCrgen", std::string(300, 'y')});
  CHECK(table.to_text() == "name          what\na\\nb\\x1b[31m  x\nJ\xC3\xBCrgen        " +
                               std::string(300, 'y') + "\n");
}
