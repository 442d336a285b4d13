#include "redis/sha1.hpp"

using namespace moonshift::redis;
using namespace std::string_literals;

TEST_CASE("SHA-1 is that of FIPS 180") {
  CHECK(sha1_hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(sha1_hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(sha1_hex(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  CHECK(sha1_hex("\0"s) == "5ba93c9db0cff93f52b521d7420e43f6eda2784f");
}
