// Runs random scripts by EVAL and by us, until one differs:
//
//     random_scripts [--seed N] [--count N]
//
// Script i has the seed N + i, so that one that differs can be repeated alone. It is shrunk before
// it is shown.

#include <fmt/format.h>

#include <cxxopts.hpp>
#include <iostream>

#include "base/log.hpp"
#include "base/text.hpp"
#include "eval/differential.hpp"
#include "eval/generator.hpp"

using namespace moonshift;
using namespace moonshift::test;

namespace {

struct Answers {
  Outcome by_redis, by_us;
  bool differ() const { return by_redis != by_us; }
};

class Comparison {
 public:
  Answers run(const Program& program) {
    const task::Evaluation evaluation{program.text(), program.keys, program.arguments};
    differential_.reset();
    return {differential_.by_redis(evaluation), differential_.by_us(evaluation)};
  }

 private:
  Differential differential_;
};

void show(std::string_view title, const std::vector<std::string>& words) {
  fmt::print("{}:", title);
  for (const std::string& word : words) fmt::print(" {}", base::printable(word));
  fmt::print("\n");
}

void show_failure(Comparison& comparison, const Program& program, std::uint64_t seed) {
  const Program small =
      shrunk(program, [&](const Program& candidate) { return comparison.run(candidate).differ(); });
  const Answers answers = comparison.run(small);
  fmt::print("The script of --seed {} --count 1 differs. Made smaller, it is\n\n{}\n\n", seed,
             small.text());
  show("keys", small.keys);
  show("arguments", small.arguments);
  fmt::print("\nby EVAL:  {}\nby us:    {}\n", answers.by_redis.reply, answers.by_us.reply);
  if (answers.by_redis.dataset != answers.by_us.dataset) {
    fmt::print("\nleft by EVAL:\n{}left by us:\n{}", answers.by_redis.dataset,
               answers.by_us.dataset);
  }
}

}  // namespace

int main(int argc, char** argv) {
  cxxopts::Options options("random_scripts", "Runs random scripts by EVAL and by us.");
  options.add_options()("seed", "of the first script",
                        cxxopts::value<std::uint64_t>()->default_value("1"))(
      "count", "how many scripts", cxxopts::value<std::uint64_t>()->default_value("3000"));
  const auto parsed = options.parse(argc, argv);
  const auto seed = parsed["seed"].as<std::uint64_t>();
  const auto count = parsed["count"].as<std::uint64_t>();

  base::set_up_log(base::LogLevel::kError);
  Comparison comparison;
  std::uint64_t failed = 0, errors = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Program program = ScriptGenerator(seed + i).next();
    const Answers answers = comparison.run(program);
    if (answers.by_redis.reply.starts_with('-')) ++errors;
    if (!answers.differ()) continue;
    show_failure(comparison, program, seed + i);
    if (++failed == 3) break;
  }
  fmt::print("{} random scripts from seed {}, {} of which end in an error: {} differ\n", count,
             seed, errors, failed);
  fmt::print("# Ran {} tests, 0 skipped, {} failed.\n", count, failed);
  return failed == 0 ? 0 : 1;
}
