#include "base/pacer.hpp"

using namespace std::chrono_literals;
using moonshift::base::Pacer;

TEST_CASE("batches grow until one takes about as long as it may") {
  Pacer pacer(2ms, 16);
  for (int i = 0; i < 50; ++i) pacer.observe(pacer.size(), pacer.size() * 10us);  // 10 us an item
  CHECK(pacer.size() == 200);
}

TEST_CASE("one batch that took too long makes the next one smaller at once") {
  Pacer pacer(2ms, 1000);
  pacer.observe(1000, 20ms);
  CHECK(pacer.size() == 100);
}

TEST_CASE("a batch has at least one item, however slow, and at most the limit, however fast") {
  Pacer pacer(2ms, 16, 4096);
  pacer.observe(16, 10s);
  CHECK(pacer.size() == 1);
  for (int i = 0; i < 100; ++i) pacer.observe(pacer.size(), 1us);
  CHECK(pacer.size() == 4096);
}
