#include "health/check.hpp"

#include "lua/script_error.hpp"
#include "support/script_directory.hpp"
#include "support/server.hpp"

using namespace moonshift;
using health::Finding;
using health::Level;

namespace {

std::vector<Finding> run(const std::string& name, const test::Server& server,
                         const task::GivenParameters& given = {}) {
  const task::Catalog catalog;
  task::Script script(catalog, name);
  return health::run_check(script, given, server.endpoint(), base::kNever);
}

Finding find(const std::vector<Finding>& findings, const std::string& what) {
  for (const Finding& finding : findings) {
    if (finding.what.starts_with(what)) return finding;
  }
  FAIL("no finding " << what);
  return {};
}

std::vector<Finding> run_text(const std::string& body, const test::Server& server) {
  const test::ScriptDirectory directory;
  directory.write("try", "return check { run = function(p) " + body + " end }");
  const task::Catalog catalog = directory.catalog();
  task::Script script(catalog, "try");
  return health::run_check(script, {}, server.endpoint(), base::kNever);
}

}  // namespace

TEST_CASE("persistence: a healthy server has nothing to say") {
  test::Server server("appendonly=yes");
  const auto findings = run("checks/persistence", server);
  CHECK(findings.size() == 3);
  CHECK(health::verdict_of(findings) == Level::kOk);
}

TEST_CASE("persistence: an AOF that is off warns") {
  test::Server server;
  CHECK(find(run("checks/persistence", server), "AOF").level == Level::kWarning);
}

TEST_CASE("persistence: a failed RDB save is critical") {
  test::Server server("appendonly=yes");
  server.call({"SET", "k", "v"});
  const std::string directory = server.call({"CONFIG", "GET", "dir"}).elements.at(1).text;
  // A directory where the file should be: the rename at the end of the save fails, also for root.
  REQUIRE(::system(("mkdir " + directory + "/dump.rdb").c_str()) == 0);
  REQUIRE(server.call({"SAVE"}).is_error());
  server.call({"BGSAVE"});
  CHECK(test::eventually([&] {
    return find(run("checks/persistence", server), "last RDB save").level == Level::kCritical;
  }));
}

TEST_CASE("persistence: old unsaved changes warn, no changes do not") {
  test::Server server("appendonly=yes");
  const task::GivenParameters impatient{{"max_age", std::string("1ms")}};
  CHECK(find(run("checks/persistence", server, impatient), "last RDB save").level == Level::kOk);
  server.call({"SET", "k", "v"});
  CHECK(test::eventually([&] {
    return find(run("checks/persistence", server, impatient), "last RDB save").level ==
           Level::kWarning;
  }));
  CHECK(find(run("checks/persistence", server), "last RDB save").level == Level::kOk);
}

TEST_CASE("memory: above 80 % of maxmemory warns, above 95 % is critical") {
  test::Server server;
  server.call({"SET", "k", std::string(4 << 20, 'x')});
  const auto set_share = [&](double share) {
    const auto used =
        static_cast<double>(redis::Reply(server.call({"MEMORY", "STATS"})).elements.at(3).integer);
    server.call(
        {"CONFIG", "SET", "maxmemory", std::to_string(static_cast<std::int64_t>(used / share))});
  };
  set_share(0.5);
  CHECK(find(run("checks/memory", server), "memory used").level == Level::kOk);
  set_share(0.87);
  CHECK(find(run("checks/memory", server), "memory used").level == Level::kWarning);
  set_share(0.99);
  CHECK(find(run("checks/memory", server), "memory used").level == Level::kCritical);
}

TEST_CASE("memory: an eviction policy warns where queues are, and only there") {
  test::Server server;
  server.call({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  CHECK(find(run("checks/memory", server), "eviction policy").level == Level::kOk);
  server.call({"HSET", "bull:mail:meta", "version", "bullmq:5.0.0"});
  CHECK(find(run("checks/memory", server), "eviction policy").level == Level::kWarning);
  server.call({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  CHECK(find(run("checks/memory", server), "eviction policy").level == Level::kOk);
}

TEST_CASE("clients: above 80 % of maxclients warns") {
  test::Server server("maxclients=10");
  CHECK(find(run("checks/clients", server), "connected clients").level == Level::kOk);
  std::vector<redis::Connection> crowd;
  for (int i = 0; i < 8; ++i) crowd.push_back(server.endpoint().connect());
  CHECK(find(run("checks/clients", server), "connected clients").level == Level::kWarning);
}

TEST_CASE("a check may not write, and the error names the command") {
  test::Server server;
  try {
    run_text("redis.call('SET', 'k', 'v') return {}", server);
    FAIL("it wrote");
  } catch (const lua::ScriptError& error) {
    CHECK(std::string(error.what()).find("a check may only read, and SET writes") !=
          std::string::npos);
  }
  CHECK(server.integer({"DBSIZE"}) == 0);
}

TEST_CASE("a check must return findings") {
  test::Server server;
  for (const std::string body : {"return 7", "", "return { { level = 'bad', what = 'x' } }",
                                 "return { { level = 'ok' } }"}) {
    CAPTURE(body);
    CHECK_THROWS_AS(run_text(body, server), lua::ScriptError);
  }
}
