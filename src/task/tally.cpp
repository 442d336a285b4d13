#include "task/tally.hpp"

#include <utility>

namespace moonshift::task {

namespace {

constexpr std::size_t kShownFailures = 10;
constexpr std::size_t kMostOutcomes = 50;

/// Reasons are meant to be few; a script that puts an id into each must not fill our memory.
constexpr std::size_t kMostReasons = 50;

}  // namespace

void Tally::add(const Item& item, const ItemResult& result) {
  switch (result.kind) {
    case ItemResult::Kind::kDone:
      if (!outcomes.contains(result.outcome) && outcomes.size() >= kMostOutcomes) {
        add_failure(
            item,
            "each returns too many different outcomes: an outcome is a word such as \"removed\"",
            "");
        return;
      }
      ++done;
      ++outcomes[result.outcome];
      if (!result.reason.empty()) {
        const std::string reason = result.outcome + ": " + result.reason;
        if (reasons.contains(reason) || reasons.size() < kMostReasons) ++reasons[reason];
      }
      break;
    case ItemResult::Kind::kFailed:
      add_failure(item, result.error, result.traceback);
      break;
    case ItemResult::Kind::kInterrupted:
      ++interrupted;
      break;
  }
}

void Tally::add_failure(Item item, std::string error, std::string traceback) {
  ++failed;
  if (failures.size() < kShownFailures) {
    failures.push_back({std::move(item), std::move(error), std::move(traceback)});
  }
}

}  // namespace moonshift::task
