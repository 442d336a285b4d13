#include "redis/latency_probe.hpp"

#include "support/server.hpp"

using namespace moonshift;
using namespace std::chrono_literals;

TEST_CASE("a bystander feels a command that stops Redis") {
  test::Server server("enable-debug-command=local");
  redis::LatencyProbe probe(server.url(), {});
  REQUIRE(test::eventually([&] { return probe.read().samples > 10; }));
  server.call({"DEBUG", "SLEEP", "0.1"});
  REQUIRE(test::eventually([&] { return probe.read().worst >= 90ms; }));
  const redis::Latency latency = probe.read();
  CHECK(latency.p50 <= latency.p99);
  CHECK(latency.p99 <= latency.worst);
  CHECK(latency.p50 < 90ms);
}
