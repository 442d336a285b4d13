#include "base/log.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <mutex>

#include "base/journal.hpp"

namespace moonshift::base {

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

LogLevel from_spdlog(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return LogLevel::kError;
  if (level == spdlog::level::warn) return LogLevel::kWarning;
  return level == spdlog::level::info ? LogLevel::kInfo : LogLevel::kDebug;
}

/// The journal keeps the time and the level itself.
class JournalSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const LogLevel level = from_spdlog(message.level);
    const std::string text(message.payload.data(), message.payload.size());
    if (send_to_journal(level, text)) return;
    std::fprintf(stderr, "%s%s\n", level_prefix(level).c_str(), text.c_str());
  }

  void flush_() override {}
};

spdlog::sink_ptr make_sink() {
  if (stderr_is_journal()) return std::make_shared<JournalSink>();
  return std::make_shared<spdlog::sinks::stderr_sink_mt>();
}

}  // namespace

void set_up_log(LogLevel lowest) {
  auto logger = std::make_shared<spdlog::logger>("moonshift", make_sink());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l: %v", spdlog::pattern_time_type::utc);
  logger->set_level(to_spdlog(lowest));
  spdlog::set_default_logger(std::move(logger));
}

void log(LogLevel level, const std::string& message) { spdlog::log(to_spdlog(level), message); }

}  // namespace moonshift::base
