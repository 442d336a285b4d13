#include "redis/reply_reader.hpp"

#include <sys/resource.h>

#include <chrono>
#include <string_view>

#include "redis/error.hpp"

using namespace moonshift::redis;
using namespace std::string_literals;
using moonshift::base::Bytes;
using Type = Reply::Type;

namespace {

constexpr Bytes kLimit{100'000};

std::span<const char> bytes(std::string_view text) { return {text.data(), text.size()}; }

/// A reply as text that tells every type and value: `[1, "a", {"k": nil}]`.
std::string shown(const Reply& reply) {
  const auto list = [&](const std::string& open, const std::string& close) {
    std::string text = open;
    for (const Reply& element : reply.elements) {
      text += (text.size() > open.size() ? " " : "") + shown(element);
    }
    return text + close;
  };
  switch (reply.type) {
    case Type::kNil:
      return "nil";
    case Type::kInteger:
      return std::to_string(reply.integer);
    case Type::kString:
      return "\"" + reply.text + "\"";
    case Type::kStatus:
      return "+" + reply.text;
    case Type::kError:
      return "-" + reply.text;
    case Type::kDouble:
      return "double " + reply.text;
    case Type::kBoolean:
      return reply.integer == 1 ? "true" : reply.integer == 0 ? "false" : "no boolean";
    case Type::kBigNumber:
      return "big " + reply.text;
    case Type::kVerbatim:
      return "verbatim " + reply.text;
    case Type::kArray:
      return list("[", "]");
    case Type::kMap:
      return list("{", "}");
    case Type::kSet:
      return list("~[", "]");
  }
  return "unknown";
}

/// All replies in `text`, fed in pieces of `size` bytes.
std::vector<std::string> read_in_pieces(std::string_view text, std::size_t size,
                                        Bytes limit = kLimit) {
  ReplyReader reader(limit, "here");
  std::vector<std::string> replies;
  for (std::size_t i = 0; i < text.size(); i += size) {
    reader.feed(bytes(text.substr(i, size)));
    while (const auto reply = reader.next()) replies.push_back(shown(*reply));
  }
  return replies;
}

/// All replies in `text`, fed in two pieces.
std::vector<std::string> read_split(std::string_view text, std::size_t at, Bytes limit = kLimit) {
  ReplyReader reader(limit, "here");
  std::vector<std::string> replies;
  for (const std::string_view piece : {text.substr(0, at), text.substr(at)}) {
    reader.feed(bytes(piece));
    while (const auto reply = reader.next()) replies.push_back(shown(*reply));
  }
  return replies;
}

std::string protocol_error(std::string_view text, Bytes limit = kLimit) {
  try {
    for (const std::string& reply : read_in_pieces(text, text.size(), limit)) {
      return "a reply: " + reply;
    }
    return "more is waited for";
  } catch (const RedisError& error) {
    CHECK(error.kind() == RedisError::Kind::kProtocol);
    return error.what();
  }
}

long peak_kilobytes() {
  ::rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

double seconds(const auto& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

}  // namespace

TEST_CASE("every type is read, in one piece, byte by byte, and split at every byte") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases{
      {"+OK\r\n", {"+OK"}},
      {"+\r\n", {"+"}},
      {"+a\rb\nc\r\n", {"+a\rb\nc"}},
      {"-ERR no\r\n", {"-ERR no"}},
      {":42\r\n", {"42"}},
      {":-9223372036854775808\r\n", {"-9223372036854775808"}},
      {":9223372036854775807\r\n", {"9223372036854775807"}},
      {"$0\r\n\r\n", {"\"\""}},
      {"$5\r\na\r\nbc\r\n", {"\"a\r\nbc\""}},
      {"$3\r\n\0\xff\r\r\n"s, {"\"\0\xff\r\""s}},
      {"$-1\r\n", {"nil"}},
      {"*-1\r\n", {"nil"}},
      {"_\r\n", {"nil"}},
      {"*0\r\n", {"[]"}},
      {"*4\r\n:42\r\n$5\r\na\r\nbc\r\n*2\r\n$-1\r\n+OK\r\n-ERR no\r\n",
       {"[42 \"a\r\nbc\" [nil +OK] -ERR no]"}},
      {"*3\r\n*0\r\n*1\r\n*1\r\n*0\r\n:1\r\n", {"[[] [[[]]] 1]"}},
      {",1.5\r\n", {"double 1.5"}},
      {",-inf\r\n", {"double -inf"}},
      {",nan\r\n", {"double nan"}},
      {",-1e4000\r\n", {"double -1e4000"}},
      {"#t\r\n#f\r\n", {"true", "false"}},
      {"(-3492890328409238509324850943850943825024385\r\n",
       {"big -3492890328409238509324850943850943825024385"}},
      {"!22\r\nSYNTAX invalid\r\nsyntax\r\n", {"-SYNTAX invalid\r\nsyntax"}},
      {"=15\r\ntxt:Some string\r\n", {"verbatim txt:Some string"}},
      {"=4\r\nmkd:\r\n", {"verbatim mkd:"}},
      {"%2\r\n+a\r\n:1\r\n+b\r\n%0\r\n", {"{+a 1 +b {}}"}},
      {"~3\r\n+a\r\n*1\r\n~0\r\n_\r\n", {"~[+a [~[]] nil]"}},
      {"|1\r\n+ttl\r\n*2\r\n:1\r\n%1\r\n:2\r\n:3\r\n:7\r\n", {"7"}},
      {"|0\r\n:7\r\n", {"7"}},
      {"*2\r\n:1\r\n|1\r\n+ttl\r\n|1\r\n+a\r\n+b\r\n:9\r\n*1\r\n|0\r\n:2\r\n", {"[1 [2]]"}},
      {"*1\r\n|1\r\n:1\r\n:2\r\n*0\r\n", {"[[]]"}},
      {">2\r\n+message\r\n*1\r\n$1\r\nx\r\n:1\r\n>0\r\n>1\r\n+y\r\n:2\r\n", {"1", "2"}},
      {">1\r\n|1\r\n:1\r\n:2\r\n+message\r\n:1\r\n", {"1"}},
      {":1\r\n:2\r\n*0\r\n$2\r\nab\r\n", {"1", "2", "[]", "\"ab\""}},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    CHECK(read_in_pieces(text, text.size()) == expected);
    CHECK(read_in_pieces(text, 1) == expected);
    CHECK(read_in_pieces(text, 3) == expected);
    for (std::size_t at = 1; at < text.size(); ++at) CHECK(read_split(text, at) == expected);
  }
}

TEST_CASE("nothing comes before the last byte") {
  const std::string text = "*2\r\n%1\r\n+k\r\n|1\r\n:1\r\n:2\r\n=5\r\ntxt:a\r\n$3\r\nabc\r\n";
  ReplyReader reader(kLimit, "here");
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    reader.feed(bytes(text.substr(i, 1)));
    REQUIRE_FALSE(reader.next().has_value());
  }
  reader.feed(bytes(text.substr(text.size() - 1)));
  CHECK(shown(reader.next().value()) == "[{+k verbatim txt:a} \"abc\"]");
  CHECK_FALSE(reader.next().has_value());
}

TEST_CASE("a reader can be moved in the middle of a reply") {
  ReplyReader first(kLimit, "here");
  first.feed(bytes("*2\r\n*2\r\n:1\r\n$3\r\na"));
  CHECK_FALSE(first.next().has_value());
  ReplyReader second = std::move(first);
  second.feed(bytes("bc\r\n:3\r\n"));
  CHECK(shown(second.next().value()) == "[[1 \"abc\"] 3]");
}

TEST_CASE("a container that is too large becomes an error, and the next reply is whole") {
  std::string list;
  for (int i = 0; i < 100; ++i) list += "$20\r\n" + std::string(20, 'x') + "\r\n";
  std::string nested;
  for (int i = 0; i < 50; ++i) nested += "*1\r\n|1\r\n+a\r\n+b\r\n*1\r\n:1\r\n";
  for (const std::string& text :
       {"*100\r\n" + list, "~100\r\n" + list, "%50\r\n" + list, "*1\r\n*100\r\n" + list,
        "*50\r\n" + nested, "*2\r\n$900\r\n" + std::string(900, 'x') + "\r\n*0\r\n"}) {
    CAPTURE(text.substr(0, 20));
    const std::vector<std::string> expected{"-ERR the reply is larger than 1000 bytes", "7"};
    CHECK(read_in_pieces(text + ":7\r\n", text.size() + 4, {1000}) == expected);
    CHECK(read_in_pieces(text + ":7\r\n", 1, {1000}) == expected);
  }
}

TEST_CASE("memory stays small while a container that is too large is read") {
  std::string integers;
  for (int i = 0; i < 10'000; ++i) integers += ":1\r\n";
  const std::string text = "$500000\r\n" + std::string(500'000, 'x') + "\r\n";
  const auto check = [](const std::string& head, const std::string& piece) {
    ReplyReader reader({700'000}, "here");
    reader.feed(bytes(head));
    const long before = peak_kilobytes();
    for (int i = 0; i < 300; ++i) {
      REQUIRE_FALSE(reader.next().has_value());
      reader.feed(bytes(piece));
    }
    CHECK(reader.next().value().is_error());
    CHECK(peak_kilobytes() - before < 50'000);  // kept, both take more than 150,000
  };
  check("*3000000\r\n", integers);
  check("*300\r\n", text);
}

TEST_CASE("each reply may be as large as the limit") {
  const std::string text =
      "*2\r\n$400\r\n" + std::string(400, 'x') + "\r\n$400\r\n" + std::string(400, 'x') + "\r\n";
  for (const std::string& reply : read_in_pieces(text + text + text, 100, {1000})) {
    CHECK(reply.starts_with("[\"xxx"));
  }
}

TEST_CASE("what is dropped does not count") {
  std::string list = "100\r\n";
  for (int i = 0; i < 200; ++i) list += "$20\r\n" + std::string(20, 'x') + "\r\n";
  CHECK(read_in_pieces("|" + list + "*1\r\n:1\r\n", 100, {1000}) ==
        std::vector<std::string>{"[1]"});
}

TEST_CASE("a container that says it has very many elements takes no memory before they come") {
  ReplyReader reader(kLimit, "here");
  reader.feed(bytes("*1\r\n*9223372036854775807\r\n%9223372036854775807\r\n:1\r\n"));
  CHECK_FALSE(reader.next().has_value());
}

TEST_CASE("a string that is too large is a protocol error, before all of it is in memory") {
  const std::string large(5000, 'x');
  for (const std::string& text :
       {"$1000000\r\n"s, "=1000000\r\n"s, "!1000000\r\n"s, "*1\r\n$1001\r\n"s, "+" + large,
        "+" + large + "\r\n", "-" + large, "|1\r\n+" + large, "$9223372036854775807\r\n"s}) {
    CAPTURE(text.substr(0, 20));
    CHECK(protocol_error(text, {1000}) == "here: ERR the reply is larger than 1000 bytes");
  }
  CHECK(read_in_pieces("$1000\r\n" + large.substr(0, 1000) + "\r\n", 7, {1000}) ==
        std::vector<std::string>{"\"" + large.substr(0, 1000) + "\""});
}

TEST_CASE("what is no RESP is a protocol error") {
  for (const std::string& text : {"HTTP/1.1 400 Bad Request\r\n"s,
                                  "H"s,
                                  "\r\n"s,
                                  "\0"s,
                                  ":\r\n"s,
                                  ":1x\r\n"s,
                                  ": 1\r\n"s,
                                  ":9223372036854775808\r\n"s,
                                  "$\r\n"s,
                                  "$x\r\n"s,
                                  "$-2\r\n"s,
                                  "$1\r\nabc"s,
                                  "$1\r\na\rb"s,
                                  "$?\r\n"s,
                                  "*-2\r\n"s,
                                  "*?\r\n"s,
                                  "*1\r\n@\r\n"s,
                                  "%-1\r\n"s,
                                  "~-1\r\n"s,
                                  "|-1\r\n"s,
                                  ">-1\r\n"s,
                                  "!-1\r\n"s,
                                  "=-1\r\n"s,
                                  "=3\r\ntxt\r\n"s,
                                  "=5\r\ntext:\r\n"s,
                                  "=4\r\nt:::\r\n"s,
                                  "#x\r\n"s,
                                  "#\r\n"s,
                                  "#tt\r\n"s,
                                  "_x\r\n"s,
                                  ",\r\n"s,
                                  ",1.5x\r\n"s,
                                  ",x\r\n"s,
                                  "(\r\n"s,
                                  "(-\r\n"s,
                                  "(1.5\r\n"s,
                                  "(x\r\n"s,
                                  "*1\r\n>1\r\n:1\r\n"s,
                                  "|1\r\n>1\r\n:1\r\n"s}) {
    CAPTURE(text);
    CHECK(protocol_error(text).starts_with("here: what came is no Redis reply: "));
  }
}

TEST_CASE("replies nest as deep as Redis nests them, but not without end") {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "*1\r\n";
    return text;
  };
  ReplyReader reader({10'000'000}, "here");
  reader.feed(bytes(nested(8000) + ":7\r\n"));
  const auto reply = reader.next();
  REQUIRE(reply.has_value());
  const Reply* innermost = &*reply;
  int depth = 0;
  for (; !innermost->elements.empty(); ++depth) innermost = &innermost->elements[0];
  CHECK(depth == 8000);
  CHECK(innermost->integer == 7);
  CHECK(protocol_error(nested(100'000), {100'000'000}) == "here: a reply nested too deep");
  CHECK(protocol_error(nested(100'000), {1000}) == "here: a reply nested too deep");
}

TEST_CASE("time grows with the bytes, not with the pieces they come in") {
  const std::string text(1'000'000, 'x');
  std::string list = "*100000\r\n";
  for (int i = 0; i < 100'000; ++i) list += "$4\r\nabcd\r\n";
  // Quadratic, each of these takes minutes.
  CHECK(seconds([&] {
          CHECK(read_in_pieces("$1000000\r\n" + text + "\r\n", 1, {10'000'000}).size() == 1);
          CHECK(read_in_pieces("+" + text + "\r\n", 1, {10'000'000}).size() == 1);
          CHECK(read_in_pieces(list, 1, {10'000'000}).size() == 1);
          CHECK(read_in_pieces(list.substr(9), 1, {10'000'000}).size() == 100'000);
          CHECK(read_in_pieces(list.substr(9), list.size(), {10'000'000}).size() == 100'000);
        }) < 60);
  ReplyReader reader({1000}, "here");
  for (int i = 0; i < 10; ++i) reader.feed(bytes(list.substr(9)));
  CHECK(seconds([&] {
          for (int i = 0; i < 100'000; ++i) {
            reader.next();
            reader.feed(bytes("+"));
          }
        }) < 60);
}
