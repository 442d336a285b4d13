#include "redis/product.hpp"

using namespace moonshift;
using redis::Reply;

namespace {

Reply hello(const std::string& server, const std::string& version) {
  Reply reply{Reply::Type::kArray, 0, "", {}};
  for (const std::string& text : {std::string("server"), server, std::string("version"), version})
    reply.elements.push_back({Reply::Type::kString, 0, text, {}});
  return reply;
}

}  // namespace

TEST_CASE(
    "HELLO tells a Redis from a Valkey, which says what Redis it is compatible with by INFO "
    "alone") {
  const auto redis = redis::Product::from_hello(hello("redis", "7.4.2"));
  CHECK(redis.version == redis::Version{7, 4, 2});
  CHECK_FALSE(redis.valkey);
  const auto valkey = redis::Product::from_hello(hello("valkey", "8.1.0"));
  CHECK(valkey.version == redis::Version{7, 2, 4});
  CHECK(valkey.valkey == redis::Version{8, 1, 0});
}
