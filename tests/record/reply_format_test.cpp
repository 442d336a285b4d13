#include "record/reply_format.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "redis/base64.hpp"
#include "redis/reply_reader.hpp"
#include "support/server.hpp"

using namespace moonshift;
using namespace std::string_literals;
using redis::Reply;
using Json = nlohmann::json;
using Type = Reply::Type;

namespace {

Reply of_text(Type type, std::string text) { return {type, 0, std::move(text), {}}; }
Reply string(std::string text) { return of_text(Type::kString, std::move(text)); }
Reply integer(std::int64_t value) { return {Type::kInteger, value, "", {}}; }
Reply of_elements(Type type, std::vector<Reply> elements) {
  return {type, 0, "", std::move(elements)};
}
Reply array(std::vector<Reply> elements) { return of_elements(Type::kArray, std::move(elements)); }

Reply nested(int depth, Reply reply) {
  while (depth-- > 0) {
    Reply outer = array({});
    outer.elements.push_back(std::move(reply));
    reply = std::move(outer);
  }
  return reply;
}

/// A Lua expression whose value becomes a reply of any RESP2 type.
std::string any_expression(std::mt19937& random, int depth) {
  const auto number = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  const auto text = [&] {
    std::string quoted = "'";
    for (int i = number(12); i > 0; --i) quoted += "\\" + std::to_string(number(256));
    return quoted + "'";
  };
  switch (number(depth < 4 ? 10 : 6)) {
    case 0:
      return "false";
    case 1:
      return std::to_string(number(1000)) + "-500";
    case 2:
      return "{ok='" + std::to_string(number(1000)) + " fine'}";
    case 3:
      return "{err='ERR " + std::to_string(number(1000)) + "'}";
    case 4:
    case 5:
      return text();
    default: {
      std::string list = "{";
      for (int i = number(depth == 0 ? 120 : 12); i > 0; --i) {
        list += any_expression(random, depth + 1) + ",";
      }
      return list + "}";
    }
  }
}

/// Returns the value of the Lua expression in the key `e`.
constexpr const char* kScript = "return loadstring([[return ]] .. redis.call([[GET]], [[e]]))()";

/// What redis-cli prints on a terminal for what the script returns.
std::string redis_cli(const test::Server& server) {
  const std::string command =
      "redis-cli --no-raw -s '" + server.url().path + "' EVAL '" + kScript + "' 0 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string output;
  std::array<char, 4096> buffer;
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    output.append(buffer.data(), count);
  }
  return output;
}

bool same(const Reply& a, const Reply& b) {
  return a.type == b.type && a.integer == b.integer && a.text == b.text &&
         std::equal(a.elements.begin(), a.elements.end(), b.elements.begin(), b.elements.end(),
                    same);
}

/// Whether the JSON says what the reply does.
bool says(const Json& json, const Reply& reply) {
  switch (reply.type) {
    case Type::kNil:
      return json.is_null();
    case Type::kInteger:
      return json == reply.integer;
    case Type::kString:
      return json.size() == 1 &&
             redis::base64_decode(json.at("b").get<std::string>()) == reply.text;
    case Type::kStatus:
      return json == Json{{"s", reply.text}};
    case Type::kError:
      return json == Json{{"e", reply.text}};
    default:
      return json.is_array() && std::equal(json.begin(), json.end(), reply.elements.begin(),
                                           reply.elements.end(), says);
  }
}

}  // namespace

TEST_CASE("JSON has a form for every type") {
  const std::vector<std::pair<Reply, std::string>> cases{
      {{}, "null"},
      {integer(-9223372036854775807 - 1), "-9223372036854775808"},
      {string(""), R"({"b":""})"},
      {string("a\0\xff"s), R"({"b":"YQD/"})"},
      {of_text(Type::kStatus, "OK"), R"({"s":"OK"})"},
      {of_text(Type::kError, "ERR \"a\\b\"\n\x01\x7f"),
       "{\"e\":\"ERR \\\"a\\\\b\\\"\\n\\u0001\x7f\"}"},
      {of_text(Type::kError, "J\xC3\xBCrgen \xff\xC3"),
       "{\"e\":\"J\xC3\xBCrgen \xEF\xBF\xBD\xEF\xBF\xBD\"}"},
      {array({}), "[]"},
      {array({integer(1), array({array({}), {}}), string("a")}), R"([1,[[],null],{"b":"YQ=="}])"},
      {of_text(Type::kDouble, "0.1"), R"({"b":"MC4x"})"},
      {of_text(Type::kBigNumber, "1"), R"({"b":"MQ=="})"},
      {of_text(Type::kVerbatim, "txt:a"), R"({"b":"YQ=="})"},
      {{Type::kBoolean, 1, "", {}}, "1"},
      {of_elements(Type::kMap, {integer(1), integer(2)}), "[1,2]"},
      {of_elements(Type::kSet, {integer(1)}), "[1]"},
  };
  for (const auto& [reply, text] : cases) CHECK(record::to_json(reply) == text);
}

TEST_CASE("the answer to a script tells an error from a reply") {
  CHECK(record::eval_answer(integer(5)) == R"({"ok":true,"reply":5})");
  CHECK(record::eval_answer(array({Reply::error("ERR a")})) ==
        R"({"ok":true,"reply":[{"e":"ERR a"}]})");
  CHECK(record::eval_answer(Reply::error("ERR \xff\nb")) ==
        "{\"ok\":false,\"error\":\"ERR \xEF\xBF\xBD\\nb\"}");
}

TEST_CASE("RESP has a form for every type") {
  CHECK(record::to_resp(array({{},
                               integer(-5),
                               string("a\r\n"),
                               of_text(Type::kStatus, "OK"),
                               Reply::error("ERR a\r\nb"),
                               array({})})) ==
        "*6\r\n$-1\r\n:-5\r\n$3\r\na\r\n\r\n+OK\r\n-ERR a  b\r\n*0\r\n");
  CHECK(record::to_resp(of_elements(
            Type::kMap, {of_text(Type::kVerbatim, "txt:a"), {Type::kBoolean, 0, "", {}}})) ==
        "*2\r\n$1\r\na\r\n:0\r\n");
}

TEST_CASE("a reply is shown as redis-cli shows it, and JSON and RESP say the same") {
  test::Server server;
  std::vector<std::string> expressions{
      "1",
      "'a'",
      "''",
      "nil",
      "true",
      "{}",
      "{{}}",
      "{{{}},{},{1,{2}}}",
      "{ok='fine'}",
      "{err='ERR no'}",
      "{err='no'}",
      "{{err='ERR no'}}",
      "redis.call('SET', 'k', 'v')",
      "redis.pcall('INCR', 'e')",
      "{1,{ok='fine'},{err='ERR no'},'a',false,{1,{2,'x'},3},4}",
      "(function() local s = '' for i = 0, 255 do s = s .. string.char(i) end return s end)()",
      "(function() local t = {} for i = 1, 9 do t[i] = {i, i} end return t end)()",
      "(function() local t = {} for i = 1, 10 do t[i] = {i, i} end return t end)()",
      "(function() local t = {} for i = 1, 1000 do t[i] = {i, {t[i - 1] and 1, i}} end return t "
      "end)()"};
  std::mt19937 random(7);
  for (int i = 0; i < 100; ++i) expressions.push_back(any_expression(random, 0));
  for (const std::string& expression : expressions) {
    CAPTURE(expression);
    server.call({"SET", "e", expression});
    const Reply reply = server.call({"EVAL", kScript, "0"});
    CHECK(record::to_human(reply) == redis_cli(server));
    const std::string json = record::to_json(reply);
    CHECK(says(Json::parse(json), reply));
    CHECK(json.find('\n') == std::string::npos);
    redis::ReplyReader reader({1 << 20}, "here");
    const std::string resp = record::to_resp(reply);
    reader.feed({resp.data(), resp.size()});
    CHECK(same(reader.next().value(), reply));
  }
}

TEST_CASE("replies of any depth and of megabytes are shown quickly") {
  constexpr int kDepth = 8000;  // Redis nests none deeper
  const auto begun = std::chrono::steady_clock::now();
  const Reply deep = nested(kDepth, array({integer(1), integer(2)}));
  CHECK(record::to_json(deep) == std::string(kDepth, '[') + "[1,2]" + std::string(kDepth, ']'));
  CHECK(record::to_resp(deep).size() == kDepth * 4 + 12);
  std::string numbers;
  for (int i = 0; i < kDepth; ++i) numbers += "1) ";
  CHECK(record::to_human(deep) ==
        numbers + "1) (integer) 1\n" + std::string(200, ' ') + "2) (integer) 2\n");
  const Reply large = array({string(std::string(2'000'000, '\xff')),
                             of_text(Type::kError, std::string(500'000, '\xff'))});
  CHECK(record::to_json(large).size() > 2'000'000 * 4 / 3 + 1'500'000);
  CHECK(record::to_human(large).size() > 8'500'000);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(20));
}
