#pragma once

#include <string>

#include "eval/case_file.hpp"
#include "support/server.hpp"
#include "task/evaluator.hpp"

namespace moonshift::test {

/// What a script answered and left behind, as text that can be compared.
struct Outcome {
  std::string reply, dataset;
  bool operator==(const Outcome&) const = default;
};

/// Two servers that are always told the same, but for the script: one runs it by EVAL, for the
/// other we run it.
class Differential {
 public:
  explicit Differential(const std::string& options = "",
                        const task::LocalEvaluator::Options& evaluator = {});

  /// Empties both servers, and gives them this.
  void reset(const std::vector<std::vector<std::string>>& setup = {});

  Outcome by_redis(const task::Evaluation& evaluation, bool unordered = false);
  Outcome by_us(const task::Evaluation& evaluation, bool unordered = false);

  Server& redis() { return redis_; }
  Server& ours() { return ours_; }

 private:
  Server redis_, ours_;
  task::LocalEvaluator evaluator_;
};

/// Every key of every database with its type, content and whether it has a TTL.
std::string canonical_dataset(Server& server);

}  // namespace moonshift::test
