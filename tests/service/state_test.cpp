#include "service/state.hpp"

#include <fstream>
#include <iterator>

#include "support/script_directory.hpp"

using namespace moonshift;
using namespace std::chrono_literals;

namespace {

const base::UnixTime kTime = base::parse_time("2026-02-10T01:00:00Z");

service::State some_state() {
  service::JobRecord record;
  record.handled = kTime;
  record.running = true;
  record.scheduled = kTime - 1h;
  record.run_id = "20260210T010000Z-5f3a1c";
  record.started = kTime;
  record.ended = kTime + 1min;
  record.exit_code = 5;
  record.verdict = health::Level::kWarning;
  record.succeeded = kTime - 24h;
  service::JobRecord fresh;
  fresh.handled = kTime;
  return {{"nightly", record}, {"never ran", fresh}};
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

TEST_CASE("the state is read as it was written") {
  const test::ScriptDirectory directory;
  const service::StateFile file(directory.path() / "new" / service::kStateFile);
  CHECK(file.load().empty());
  file.save(some_state());
  CHECK(file.load() == some_state());
  CHECK(file.look() == some_state());
}

TEST_CASE("a state that cannot be read is set aside, and nothing of it is lost") {
  for (const std::string text :
       {"", "{", "[]", "{\"version\":1}", "{\"version\":2,\"jobs\":{}}",
        "{\"version\":1,\"jobs\":{\"a\":{\"handled\":\"soon\"}}}", "\xff\xfe"}) {
    CAPTURE(text);
    const test::ScriptDirectory directory;
    const auto path = directory.path() / "state.json";
    std::ofstream(path) << text;
    const service::StateFile file(directory.path() / service::kStateFile);
    CHECK(file.look().empty());
    CHECK(read(path) == text);
    CHECK(file.load().empty());
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(read(directory.path() / "state.json.unread") == text);
    file.save(some_state());
    CHECK(file.load() == some_state());
  }
}

TEST_CASE("a job is overdue when its time after the last run passed by more than its jitter") {
  job::Job job;
  job.schedule = schedule::Schedule::parse("0 1 * * *", schedule::Zone::utc());
  job.jitter = 1h;
  service::JobRecord record = some_state().at("nightly");
  record.running = false;
  record.scheduled = kTime;
  const base::UnixTime next = kTime + 24h;
  CHECK_FALSE(service::overdue_since(job, record, next + 1h));
  CHECK(service::overdue_since(job, record, next + 1h + 6min) == next);
  record.running = true;
  CHECK_FALSE(service::overdue_since(job, record, next + 30h));
}
