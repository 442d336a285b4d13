#include "cli/progress.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "record/report.hpp"

namespace moonshift::cli {

namespace {

using record::with_commas;
using Clock = std::chrono::steady_clock;

constexpr auto kPlainInterval = std::chrono::seconds(10);

bool live_line_shown = false;

std::string progress_text(const job::Progress& progress) {
  const task::Tally& tally = progress.tally;
  std::string outcomes;
  for (const auto& [outcome, count] : tally.outcomes)
    outcomes += fmt::format("  {} {}", with_commas(count), outcome);
  const double seconds = std::chrono::duration<double>(progress.elapsed).count();
  const auto rate =
      seconds > 0 ? static_cast<std::int64_t>(static_cast<double>(tally.done) / seconds) : 0;
  return fmt::format("{}: {} found  {} done{}  {} failed  {}/s  PING {}", progress.step,
                     with_commas(tally.found), with_commas(tally.done), outcomes,
                     with_commas(tally.failed), with_commas(rate),
                     base::describe_duration(progress.latency.last));
}

}  // namespace

std::function<void(const job::Progress&)> show_progress(bool terminal) {
  if (terminal) {
    return [](const job::Progress& progress) {
      live_line_shown = true;
      std::fprintf(stderr, "\r\x1b[K%s", progress_text(progress).c_str());
    };
  }
  return [next = Clock::now() + kPlainInterval](const job::Progress& progress) mutable {
    if (Clock::now() < next) return;
    next = Clock::now() + kPlainInterval;
    std::fprintf(stderr, "%s\n", progress_text(progress).c_str());
  };
}

void end_progress() {
  if (std::exchange(live_line_shown, false)) std::fputs("\r\x1b[K", stderr);
}

}  // namespace moonshift::cli
