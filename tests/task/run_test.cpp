#include "task/run.hpp"

#include "lua/script_error.hpp"
#include "support/script_directory.hpp"
#include "support/server.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using task::EngineChoice;
using task::RunOptions;
using task::RunResult;

namespace {

const std::string kFindItems =
    "find = function(p, emit) for key in scan.keys { match = 'item:*' } do emit(key) end end, ";

std::string task_with_each(const std::string& each) {
  return "return task { " + kFindItems + "each = function(p, key) " + each + " end }";
}

const std::string kRemove = task_with_each("redis.call('UNLINK', key) return 'removed'");

void add_items(test::Server& server, int count) {
  server.call({"EVAL", "for i = 1, ARGV[1] do redis.call('SET', 'item:' .. i, i) end", "0",
               std::to_string(count)});
}

RunOptions in(EngineChoice engine) {
  RunOptions options;
  options.engine = engine;
  return options;
}

constexpr EngineChoice kBoth[] = {EngineChoice::kLocal, EngineChoice::kServer};

}  // namespace

TEST_CASE("every item is treated once, and find says so afterwards") {
  // SCAN may return a key twice while Redis rehashes.
  const std::string remove_once =
      task_with_each("return redis.call('UNLINK', key) == 1 and 'removed' or 'gone'");
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 5000);
    server.call({"SET", "other", "stays"});
    const RunResult result = test::run_text(remove_once, server.endpoint(), in(engine));
    CHECK(result.tally.found >= 5000);
    CHECK(result.tally.outcomes.at("removed") == 5000);
    CHECK(result.verification.done);
    CHECK(result.verification.holds);
    CHECK(server.dataset().starts_with("other "));
    CHECK(server.integer({"DBSIZE"}) == 1);
  }
}

TEST_CASE("a task finds Redis's own libraries in both engines") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 1);
    const RunResult result = test::run_text(
        task_with_each("local text = cjson.encode({ 1, cmsgpack.unpack(cmsgpack.pack('two')) }) "
                       "redis.call('SET', 'made', text .. #struct.pack('>I4', 7) .. "
                       "redis.sha1hex('x')) redis.call('UNLINK', key) return 'removed'"),
        server.endpoint(), in(engine));
    CHECK(result.tally.outcomes.at("removed") == 1);
    CHECK(server.text({"GET", "made"}) == "[1,\"two\"]411f6ad8ec52a2984abaafd7c3b516503785c2072");
  }
}

TEST_CASE("an empty Redis is nothing to do") {
  for (const auto engine : kBoth) {
    test::Server server;
    const RunResult result = test::run_text(kRemove, server.endpoint(), in(engine));
    CHECK(result.tally.found == 0);
    CHECK(result.verification.holds);
  }
}

TEST_CASE("a dry run changes nothing and shows what it would treat") {
  test::Server server;
  add_items(server, 100);
  RunOptions options;
  options.dry_run = true;
  const RunResult result = test::run_text(kRemove, server.endpoint(), options);
  CHECK(result.tally.found == 100);
  CHECK(result.sample.size() == 20);
  CHECK(result.tally.outcomes.empty());
  CHECK(server.integer({"DBSIZE"}) == 100);
}

TEST_CASE("an item that fails is told with its place; the others are treated") {
  for (const auto engine : kBoth) {
    CAPTURE(task::name_of(engine));
    test::Server server;
    add_items(server, 300);
    const RunResult result =
        test::run_text(task_with_each("redis.call('UNLINK', key)\nif key == 'item:7' "
                                      "then\nerror('seven') end return 'removed'"),
                       server.endpoint(), in(engine));
    CHECK(result.tally.outcomes.at("removed") == 299);
    REQUIRE(result.tally.failures.size() == 1);
    CHECK(result.tally.failures[0].item == task::Item{"item:7"});
    CHECK(result.tally.failures[0].error.find("try.lua:3: seven") != std::string::npos);
  }
}

TEST_CASE("an error reply is told with its command, its key and the author's line") {
  for (const auto engine : kBoth) {
    CAPTURE(task::name_of(engine));
    test::Server server;
    add_items(server, 1);
    const RunResult result =
        test::run_text(task_with_each("\nlocal n = redis.call('LLEN', key) return 'kept'"),
                       server.endpoint(), in(engine));
    REQUIRE(result.tally.failures.size() == 1);
    const std::string& error = result.tally.failures[0].error;
    CHECK(error.find("try.lua:2: WRONGTYPE") != std::string::npos);
    CHECK(error.find("(LLEN item:1)") != std::string::npos);
  }
}

TEST_CASE("with so many failures the run stops") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 50'000);
    RunOptions options = in(engine);
    options.max_failures = 10;
    const RunResult result =
        test::run_text(task_with_each("error('no')"), server.endpoint(), options);
    CHECK(result.stopped == base::Aborted::Reason::kTooManyFailures);
    CHECK(result.tally.failed >= 10);
    CHECK(result.tally.failed < 20'000);
    CHECK(result.tally.failures.size() == 10);
    CHECK_FALSE(result.verification.done);
  }
}

TEST_CASE("items that each chooses to keep do not fail the verification") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 100);
    const RunResult result =
        test::run_text(task_with_each("if key == 'item:7' then return 'kept', 'lucky' end "
                                      "redis.call('UNLINK', key) return 'removed'"),
                       server.endpoint(), in(engine));
    CHECK(result.tally.outcomes.at("kept") == 1);
    CHECK(result.tally.reasons.at("kept: lucky") == 1);
    CHECK(result.verification.holds);
  }
}

TEST_CASE("items that were treated and are still found fail the verification and are named") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 3);
    const RunResult result = test::run_text(
        task_with_each("if key ~= 'item:2' then redis.call('UNLINK', key) end return 'removed'"),
        server.endpoint(), in(engine));
    CHECK(result.verification.done);
    CHECK_FALSE(result.verification.holds);
    CHECK(result.verification.remaining == 1);
    CHECK(result.verification.arrived == 0);
    CHECK(result.verification.examples.at(0) == task::Item{"item:2"});
  }
}

TEST_CASE("items that are made while the run goes on are treated, and told apart") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 3);
    // Each of the first items makes a new one when it goes.
    const RunResult result =
        test::run_text(task_with_each("redis.call('UNLINK', key) if not key:find('new') then "
                                      "redis.call('SET', key .. ':new', 1) end return 'removed'"),
                       server.endpoint(), in(engine));
    CHECK(result.verification.holds);
    CHECK(result.tally.outcomes.at("removed") == 6);
    CHECK(server.integer({"DBSIZE"}) == 0);
  }
}

TEST_CASE("items that never stop coming end the passes without failing the verification") {
  test::Server server;
  add_items(server, 3);
  const RunResult result =
      test::run_text(task_with_each("redis.call('UNLINK', key) redis.call('SET', 'item:' .. "
                                    "redis.call('INCR', 'n') + 100, 1) return 'removed'"),
                     server.endpoint());
  CHECK(result.verification.holds);
  CHECK(result.verification.passes == 3);
  CHECK(result.verification.remaining == 0);
  CHECK(result.verification.arrived > 0);
}

TEST_CASE("an item that failed once and is treated in a later pass is no failure") {
  test::Server server;
  add_items(server, 2);
  const RunResult result =
      test::run_text(task_with_each("if redis.call('INCR', 'tries') == 1 then error('not yet') end "
                                    "redis.call('UNLINK', key) return 'removed'"),
                     server.endpoint());
  CHECK(result.tally.failed == 0);
  CHECK(result.tally.outcomes.at("removed") == 2);
  CHECK(result.verification.holds);
}

TEST_CASE("a task's own verify has a say, and is told what the run did") {
  test::Server server;
  add_items(server, 5);
  const std::string each =
      "each = function(p, key) redis.call('UNLINK', key) return 'removed' end, ";
  const auto run = [&](const std::string& verify) {
    return test::run_text(
        "return task { " + kFindItems + each + "verify = function(p, run) " + verify + " end }",
        server.endpoint());
  };
  CHECK(run("return run.outcomes.removed == 5").verification.holds);
  const RunResult refused = run("return false, 'because'");
  CHECK_FALSE(refused.verification.holds);
  CHECK(refused.verification.task_says == "because");
  const RunResult broken = run("redis.call('SET', 'x', 1)");
  CHECK_FALSE(broken.verification.holds);
  CHECK(broken.script_error.value().find("verify may only read, and SET writes") !=
        std::string::npos);
}

TEST_CASE("an error in find fails the run; what was found before is completed") {
  test::Server server;
  add_items(server, 1);
  const RunResult result = test::run_text(
      "return task { find = function(p, emit) emit('item:1') error('lost') end, each = function(p, "
      "key) redis.call('UNLINK', key) return 'removed' end }",
      server.endpoint());
  CHECK(result.script_error.value().find("lost") != std::string::npos);
  CHECK(result.tally.outcomes.at("removed") == 1);
  CHECK_FALSE(result.verification.done);
}

TEST_CASE("each must return a word") {
  for (const auto engine : kBoth) {
    for (const std::string each :
         {"", "return 7", "return ''", "return 'two words'", "return {}"}) {
      test::Server server;
      add_items(server, 1);
      const RunResult result = test::run_text(task_with_each(each), server.endpoint(), in(engine));
      CAPTURE(each);
      CHECK(result.tally.failed == 1);
    }
  }
}

TEST_CASE("the deadline ends a script that does not end") {
  for (const std::string each :
       {"while true do end", "while true do pcall(function() while true do end end) end"}) {
    CAPTURE(each);
    test::Server server;
    add_items(server, 3);
    RunOptions options = in(EngineChoice::kLocal);
    options.deadline = std::chrono::steady_clock::now() + 100ms;
    const RunResult result = test::run_text(task_with_each(each), server.endpoint(), options);
    CHECK(result.stopped == base::Aborted::Reason::kDeadline);
  }
}

TEST_CASE("the deadline ends a find that does not end") {
  test::Server server;
  RunOptions options;
  options.deadline = std::chrono::steady_clock::now() + 100ms;
  for (const std::string find : {"while true do end", "while true do redis.call('PING') end"}) {
    const RunResult result =
        test::run_text(std::string("return task { find = function(p, emit) ") + find +
                           " end, each = function() return 'kept' end }",
                       server.endpoint(), options);
    CHECK(result.stopped == base::Aborted::Reason::kDeadline);
  }
}

TEST_CASE("the deadline ends a script inside Redis by SCRIPT KILL") {
  test::Server server("busy-reply-threshold=20");
  add_items(server, 3);
  RunOptions options = in(EngineChoice::kServer);
  options.deadline = std::chrono::steady_clock::now() + 200ms;
  const RunResult result =
      test::run_text(task_with_each("while true do end"), server.endpoint(), options);
  CHECK(result.stopped == base::Aborted::Reason::kDeadline);
  CHECK(server.text({"PING"}) == "PONG");
}

TEST_CASE("a script that is gone from Redis's cache is loaded again") {
  test::Server server;
  add_items(server, 2000);
  redis::Connection other = server.endpoint().connect();
  RunOptions options = in(EngineChoice::kServer);
  options.on_progress = [&](const task::Tally&) { other.call({"SCRIPT", "FLUSH"}); };
  options.batch_time = 100us;
  const RunResult result = test::run_text(kRemove, server.endpoint(), options);
  CHECK(result.tally.outcomes.at("removed") == 2000);
  CHECK(result.verification.holds);
}

TEST_CASE("the server engine batches, and the smaller the budget the smaller the batches") {
  test::Server server;
  std::int64_t batches[2];
  for (int i = 0; i < 2; ++i) {
    add_items(server, 20'000);
    RunOptions options = in(EngineChoice::kServer);
    options.batch_time = i == 0 ? base::Duration(1us) : base::Duration(1s);
    batches[i] = test::run_text(kRemove, server.endpoint(), options).batches;
  }
  CHECK(batches[0] > 5 * batches[1]);
  CHECK(batches[1] < 100);
}

TEST_CASE("a task that needs each item to be atomic runs in the server, and nowhere else") {
  test::Server server;
  add_items(server, 10);
  const std::string text =
      "return task { atomic = true, " + kFindItems +
      "each = function(p, key) redis.call('UNLINK', key) return 'removed' end }";
  CHECK(test::run_text(text, server.endpoint()).engine == EngineChoice::kServer);
  CHECK_THROWS_AS(test::run_text(text, server.endpoint(), in(EngineChoice::kLocal)),
                  base::ConfigError);
}

TEST_CASE(
    "p.now is Redis's clock, or what the user says it is; parameters are the same in both "
    "engines") {
  for (const auto engine : kBoth) {
    test::Server server;
    RunOptions options = in(engine);
    const std::string text =
        "return task { params = { d = { type = 'duration', default = '1s', help = 'h' }, "
        "g = { type = 'glob', list = true, help = 'h' }, b = { type = 'boolean', default = true, "
        "help = 'h' } }, "
        "find = function(p, emit) emit(p.now) end, "
        "each = function(p, now) redis.call('SET', 'told', table.concat({ p.now, now, p.d, p.g[2], "
        "tostring(p.b) }, ' ')) return 'kept' end }";
    const task::GivenParameters given{
        {"g", lua::Value::List{std::string("x"), std::string("y z")}}};
    options.now = base::parse_time("1793500200000");
    test::run_text(text, server.endpoint(), options, given);
    CHECK(server.text({"GET", "told"}) == "1793500200000 1793500200000 1000 y z true");
    options.now.reset();
    const RunResult result = test::run_text(text, server.endpoint(), options, given);
    CHECK(std::chrono::abs(result.now - base::system_now()) < 1min);
  }
}

TEST_CASE("above maxmemory deleting still works, in both engines") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 100);
    server.call({"SET", "large", std::string(4 << 20, 'x')});
    server.call({"CONFIG", "SET", "maxmemory", "2mb"});
    REQUIRE(server.call({"SET", "more", "1"}).text.starts_with("OOM"));
    const RunResult result = test::run_text(kRemove, server.endpoint(), in(engine));
    CHECK(result.tally.outcomes.at("removed") == 100);
    CHECK(result.verification.holds);
  }
}

TEST_CASE("items are bytes: zeros, line feeds, globs, a megabyte") {
  for (const auto engine : kBoth) {
    test::Server server;
    for (const std::string& name :
         {std::string("a\0b", 3), std::string("a\nb"), std::string("*[x]?"),
          std::string("\xff\xfe"), std::string(1 << 20, 'x'), std::string()}) {
      server.call({"SET", "item:" + name, "1"});
    }
    const RunResult result = test::run_text(kRemove, server.endpoint(), in(engine));
    CHECK(result.tally.outcomes.at("removed") == 6);
    CHECK(server.integer({"DBSIZE"}) == 0);
  }
}

TEST_CASE("a Redis that goes away in the middle is told beside what was done") {
  test::Server server;
  add_items(server, 100'000);
  redis::Connection other = server.endpoint().connect();
  RunOptions options;
  bool killed = false;
  options.on_progress = [&](const task::Tally& tally) {
    if (tally.done > 0 && !std::exchange(killed, true))
      other.call({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  };
  const RunResult result = test::run_text(
      task_with_each("redis.call('UNLINK', key) return 'removed'"), server.endpoint(), options);
  if (killed) CHECK(result.redis_error.has_value());
}

TEST_CASE("an item that find emits twice in a pass is no item that would not go") {
  test::Server server;
  const RunResult result = test::run_text(
      "return task { find = function(p, emit) if redis.call('EXISTS', 'gone') == 0 then for _ = 1, "
      "3 do emit('a') end end end, "
      "each = function(p, a) if redis.call('INCR', 'n') > 1 then redis.call('SET', 'gone', 1) end "
      "return 'removed' end }",
      server.endpoint(), in(EngineChoice::kLocal));
  CHECK(result.verification.holds);
  CHECK(result.verification.remaining == 0);
}

TEST_CASE("what each returns or yields wrongly is that item's failure, and the others go on") {
  for (const std::string wrong :
       {"return redis.call", "coroutine.yield()", "local t = {} t.t = t return t"}) {
    CAPTURE(wrong);
    test::Server server;
    add_items(server, 5);
    const RunResult result =
        test::run_text(task_with_each("if key == 'item:3' then " + wrong +
                                      " end redis.call('UNLINK', key) return 'removed'"),
                       server.endpoint(), in(EngineChoice::kLocal));
    CHECK(result.tally.failed == 1);
    CHECK(result.tally.outcomes.at("removed") == 4);
  }
}

TEST_CASE("a limit is kept, and none of what was treated is found again") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 5000);
    RunOptions options = in(engine);
    options.limit = 1200;
    const RunResult result = test::run_text(kRemove, server.endpoint(), options);
    CHECK(result.tally.found == 1200);
    CHECK(result.limit_reached);
    CHECK(result.verification.holds);
    CHECK(server.integer({"DBSIZE"}) >= 3800);  // SCAN may emit a key twice
    CHECK(server.integer({"DBSIZE"}) <= 3900);
    options.limit = 10'000;
    CHECK_FALSE(test::run_text(kRemove, server.endpoint(), options).limit_reached);
    CHECK(server.integer({"DBSIZE"}) == 0);
  }
}

TEST_CASE("under a limit, what was treated and would not go is told") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 50);
    RunOptions options = in(engine);
    options.limit = 60;
    const RunResult result =
        test::run_text(task_with_each("return 'removed'"), server.endpoint(), options);
    CHECK(result.verification.remaining == 50);
    CHECK_FALSE(result.verification.holds);
  }
}

TEST_CASE("a rate is not exceeded, and all items are treated") {
  for (const auto engine : kBoth) {
    test::Server server;
    add_items(server, 21);
    RunOptions options = in(engine);
    options.rate = 200;
    const auto begin = std::chrono::steady_clock::now();
    const RunResult result = test::run_text(kRemove, server.endpoint(), options);
    CHECK(std::chrono::steady_clock::now() - begin >= 100ms);
    CHECK(result.tally.outcomes.at("removed") == 21);
    CHECK(server.integer({"DBSIZE"}) == 0);
  }
}

TEST_CASE("a task that is for the local engine alone may use commands that scripts may not") {
  const std::string kill =
      "return task { engine = 'local', find = function(p, emit) emit('x') end, each = "
      "function(p, x) redis.call('CLIENT', 'LIST') redis.call('CONFIG', 'RESETSTAT') return 'kept' "
      "end }";
  test::Server server;
  CHECK(test::run_text(kill, server.endpoint()).tally.outcomes.at("kept") == 1);
  CHECK_THROWS_AS(test::run_text(kill, server.endpoint(), in(EngineChoice::kServer)),
                  base::ConfigError);
}

TEST_CASE("an item that find emits twice in a row is treated once") {
  for (const auto engine : kBoth) {
    test::Server server;
    server.call({"RPUSH", "wait", "job"});
    const RunResult result = test::run_text(
        "return task { find = function(p, emit) for _ = 1, 50 do if redis.call('LPOS', 'wait', "
        "'job') then emit('job') end end end, each = function(p, id) return atomically({ 'other' "
        "}, function(write) if not redis.call('LPOS', 'wait', id) then return 'gone' end "
        "write('LREM', 'wait', 1, id) write('RPUSH', 'active', id) return 'moved' end) end }",
        server.endpoint(), in(engine));
    CHECK(server.integer({"LLEN", "active"}) == 1);
    CHECK(result.tally.outcomes.at("moved") == 1);
  }
}
