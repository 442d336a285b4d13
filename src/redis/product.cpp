#include "redis/product.hpp"

#include "redis/error.hpp"
#include "redis/info.hpp"

namespace moonshift::redis {

namespace {

/// https://redis.io/docs/latest/commands/hello: names and values
Product from_hello(const Reply& hello) {
  Product product;
  for (std::size_t i = 0; i + 1 < hello.elements.size(); i += 2) {
    if (hello.elements[i].text == "version")
      product.version = Version::parse(hello.elements[i + 1].text);
  }
  return product;
}

}  // namespace

Product Product::read(Connection& connection) {
  const Reply reply = connection.call({"INFO", "server"});
  if (reply.text.starts_with("NOPERM")) return from_hello(connection.expect({"HELLO"}));
  if (reply.is_error()) throw_error_reply(reply.text, connection.where());
  const Info info = Info::parse(reply.text);
  Product product{Version::parse(info.text("redis_version")), std::nullopt};
  if (const auto valkey = info.text("valkey_version"); !valkey.empty())
    product.valkey = Version::parse(valkey);
  return product;
}

}  // namespace moonshift::redis
