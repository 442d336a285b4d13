#include "redis/product.hpp"

#include "redis/info.hpp"

namespace moonshift::redis {

Product Product::read(Connection& connection) {
  const Info info = Info::read(connection, "server");
  Product product{Version::parse(info.text("redis_version")), std::nullopt};
  if (const auto valkey = info.text("valkey_version"); !valkey.empty())
    product.valkey = Version::parse(valkey);
  return product;
}

}  // namespace moonshift::redis
