#include "redis/base64.hpp"

using namespace moonshift::redis;
using namespace std::string_literals;

TEST_CASE("base64 is that of RFC 4648, and comes back") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\0\xff\xfe"s, "AP/+"},
  };
  for (const auto& [bytes, text] : cases) {
    CAPTURE(text);
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text) == bytes);
  }
}

TEST_CASE("base64 of every length around a part's end comes back") {
  for (std::size_t size = 3 * 4 * 4096 - 4; size < 3 * 4 * 4096 + 5; ++size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    const std::string text = base64_encode(bytes);
    CHECK(text.size() == (size + 2) / 3 * 4);
    CHECK(base64_decode(text) == bytes);
  }
}

TEST_CASE("text that is no base64 is refused") {
  for (const std::string text : {"A",       "AA",    "AAA",  "AAAAA", "=",
                                 "====",    "A===",  "=AAA", "AA=A",  "AAA=AAAA",
                                 "AB==",    "AAB=",  "AA A", " AAA",  "AAA ",
                                 "AAAA\n",  "AAA\n", "AA-_", "AAA.",  "\xff\xff\xff\xff",
                                 "AAAA    "}) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text).has_value());
  }
  CHECK_FALSE(base64_decode("AA\0A"s).has_value());
}
