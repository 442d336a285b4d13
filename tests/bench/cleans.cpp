#include <cstdlib>
#include <iostream>

#include "modes.hpp"

namespace bench {

void compare_cleans(const std::string& program, long jobs, int rounds) {
  const Server server;
  const std::string node = std::getenv("NODE") ? std::getenv("NODE") : "node";
  const std::string library = std::string(BENCH_SOURCES) + "/bullmq.mjs";
  const auto clean = [&](const std::string& engine) -> Method {
    return {"moonshift, " + engine + " engine",
            {program, "run", "bullmq/clean", "--url", "unix://" + server.socket(), "--engine",
             engine, "--json"}};
  };
  const std::vector<Method> all{
      {"queue.clean of BullMQ", {node, library, "clean", server.socket()}},
      clean("local"),
      clean("server")};
  const Fill fill = [&](Redis& redis) {
    Child({node, library, "fill", server.socket(), std::to_string(jobs)},
          server.directory() / "output")
        .finish();
    // Each job has a hash, each fourth one logs; the index goes with the last.
    const long own = jobs + (jobs + 1) / 4 + 1;
    return keys_are_left(static_cast<long>(redis.call({"DBSIZE"})->integer) - own);
  };
  std::cout << "Removing " << thousands(jobs) << " completed jobs, Redis " << server.version()
            << " on a Unix socket; medians of " << rounds << " rounds\n\n";
  print_table(all, measure_all(server, all, fill, rounds));
}

}  // namespace bench
