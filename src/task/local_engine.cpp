#include "task/local_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "redis/error.hpp"

namespace moonshift::task {

namespace {

/// Enough to keep Redis busy while we work and the other way round; little enough that memory stays
/// small and that another client's command never waits for long: Redis reads at most 16 KiB of our
/// commands before it serves the others (redis src/networking.c, PROTO_IOBUF_LEN).
constexpr std::size_t kMostItems = 1024;
constexpr std::size_t kMostBytes = 4 << 20;

bool is_word(const std::string& text) {
  return !text.empty() && text.size() <= 40 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

}  // namespace

ItemResult result_of(const lua::Value& outcome, const lua::Value& reason) {
  ItemResult result;
  result.outcome = outcome.text();
  result.reason = reason.text();
  if (!is_word(result.outcome)) {
    result.kind = ItemResult::Kind::kFailed;
    result.error = "each must return its outcome, one word such as \"removed\" or \"kept\"";
  }
  return result;
}

LocalEngine::LocalEngine(Script& script, lua::Scheduler& scheduler,
                         const redis::Connection& connection, ItemListener& listener)
    : scheduler_(scheduler),
      connection_(connection),
      listener_(listener),
      each_(script.state().function("each")) {}

void LocalEngine::take(Item item) {
  ++under_way_;
  scheduler_.start(each_, lua::Access::kWrite, std::move(item), *this);
}

bool LocalEngine::full() const {
  return under_way_ >= kMostItems || connection_.bytes_in_flight() >= kMostBytes;
}

void LocalEngine::give_up() {
  throw redis::RedisError(
      redis::RedisError::Kind::kTimedOut,
      fmt::format("{}: no reply; {} items were under way, and running it again goes on with them",
                  connection_.where(), under_way_));
}

void LocalEngine::on_end(const std::vector<std::string>& item, lua::FiberEnd end) {
  --under_way_;
  ItemResult result;
  switch (end.how) {
    case lua::FiberEnd::How::kReturned:
      result = result_of(end.first, end.second);
      break;
    case lua::FiberEnd::How::kFailed:
      result.kind = ItemResult::Kind::kFailed;
      result.error = std::move(end.error);
      result.traceback = std::move(end.traceback);
      break;
    case lua::FiberEnd::How::kKilled:
      result.kind = ItemResult::Kind::kInterrupted;
      result.error = std::move(end.error);
      break;
  }
  listener_.on_result(item, std::move(result));
}

}  // namespace moonshift::task
