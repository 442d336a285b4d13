#include "redis/reply_reader.hpp"

#include <string_view>

#include "redis/error.hpp"

using namespace moonshift::redis;
using moonshift::base::Bytes;
using Type = Reply::Type;

namespace {

std::span<const char> bytes(std::string_view text) { return {text.data(), text.size()}; }

constexpr std::string_view kNested =
    "*4\r\n:42\r\n$5\r\na\r\nbc\r\n*2\r\n$-1\r\n+OK\r\n-ERR no\r\n";

void check_nested(const Reply& reply) {
  REQUIRE(reply.type == Type::kArray);
  REQUIRE(reply.elements.size() == 4);
  CHECK(reply.elements[0].integer == 42);
  CHECK(reply.elements[1].text == "a\r\nbc");
  CHECK(reply.elements[2].elements.at(0).is_nil());
  CHECK(reply.elements[2].elements.at(1).type == Type::kStatus);
  CHECK(reply.elements[3].is_error());
}

}  // namespace

TEST_CASE("a nested reply is the same in one piece and byte by byte") {
  ReplyReader whole({1000}, "here");
  whole.feed(bytes(kNested));
  check_nested(whole.next().value());
  ReplyReader dripping({1000}, "here");
  for (std::size_t i = 0; i + 1 < kNested.size(); ++i) {
    dripping.feed(bytes(kNested.substr(i, 1)));
    CHECK_FALSE(dripping.next().has_value());
  }
  dripping.feed(bytes(kNested.substr(kNested.size() - 1)));
  check_nested(dripping.next().value());
}

TEST_CASE("several replies in one piece come one by one") {
  ReplyReader reader({1000}, "here");
  reader.feed(bytes(":1\r\n:2\r\n*0\r\n"));
  CHECK(reader.next()->integer == 1);
  CHECK(reader.next()->integer == 2);
  CHECK(reader.next()->elements.empty());
  CHECK_FALSE(reader.next().has_value());
}

TEST_CASE("an array that is too large becomes an error, and the next reply is whole") {
  ReplyReader reader({1000}, "here");
  std::string large = "*100\r\n";
  for (int i = 0; i < 100; ++i) large += "$20\r\n" + std::string(20, 'x') + "\r\n";
  reader.feed(bytes(large + ":7\r\n"));
  const Reply reply = reader.next().value();
  CHECK(reply.is_error());
  CHECK(reply.text.find("1000 bytes") != std::string::npos);
  CHECK(reader.next()->integer == 7);
}

TEST_CASE("a string that is too large is a protocol error, before all of it is in memory") {
  ReplyReader reader({1000}, "here");
  reader.feed(bytes("$1000000\r\n" + std::string(5000, 'x')));
  CHECK_THROWS_AS(reader.next(), RedisError);
}

TEST_CASE("what is no RESP is a protocol error") {
  ReplyReader reader({1000}, "here");
  reader.feed(bytes("HTTP/1.1 400 Bad Request\r\n"));
  try {
    reader.next();
    FAIL("no error");
  } catch (const RedisError& error) {
    CHECK(error.kind() == RedisError::Kind::kProtocol);
  }
}
