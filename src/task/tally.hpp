#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace moonshift::task {

using Item = std::vector<std::string>;

/// What became of one item.
struct ItemResult {
  enum class Kind { kDone, kFailed, kInterrupted };

  Kind kind = Kind::kDone;
  std::string outcome;  ///< the word that `each` returned
  std::string reason;   ///< why, where `each` said so
  std::string error;
  std::string traceback;

  bool kept() const { return kind == Kind::kDone && outcome == kKept; }

  /// The one outcome that leaves an item as it is, for a reason: `find` may emit it again.
  static constexpr const char* kKept = "kept";
};

struct Failure {
  Item item;
  std::string error;
  std::string traceback;
};

/// What a run found and did so far.
struct Tally {
  std::int64_t found = 0;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t interrupted = 0;
  std::map<std::string, std::int64_t> outcomes;
  std::map<std::string, std::int64_t> reasons;  ///< `kept: its parent waits for it`
  std::vector<Failure> failures;                ///< the first few

  void add(const Item& item, const ItemResult& result);
  void add_failure(Item item, std::string error, std::string traceback);
};

}  // namespace moonshift::task
