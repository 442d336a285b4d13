#include "redis/product.hpp"

#include "redis/error.hpp"
#include "redis/info.hpp"

namespace moonshift::redis {

namespace {

/// What every Valkey says it is compatible with.
constexpr Version kForked{7, 2, 4};

std::string field_of(const Reply& hello, std::string_view name) {
  for (std::size_t i = 0; i + 1 < hello.elements.size(); i += 2) {
    if (hello.elements[i].text == name) return hello.elements[i + 1].text;
  }
  return "";
}

}  // namespace

Product Product::from_hello(const Reply& hello) {
  const Version version = Version::parse(field_of(hello, "version"));
  if (field_of(hello, "server") == "valkey") return {kForked, version};
  return {version, std::nullopt};
}

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
