#include "lib/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <iterator>
#include <memory>

namespace unirack {
namespace {

constexpr std::array<std::string_view, 5> kLevels = {"off", "error", "warn", "info", "debug"};
constexpr std::array<std::string_view, 7> kSubsystems = {"boot", "ctrl", "topo", "plan",
                                                         "exec", "tcp",  "shm"};

// Shared by all ranks of the process, so that their lines do not interleave.
spdlog::logger& standard_error() {
  static spdlog::logger logger = [] {
    spdlog::logger made("unirack", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made.set_pattern("%v");
    made.set_level(spdlog::level::trace);
    made.flush_on(spdlog::level::trace);
    return made;
  }();
  return logger;
}

}  // namespace

std::string_view level_name(LogLevel level) { return kLevels[static_cast<size_t>(level)]; }

std::optional<LogLevel> parse_level(std::string_view name) {
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

void Logger::write(LogLevel level, Subsystem subsystem, fmt::string_view format,
                   fmt::format_args args) const {
  if (!enabled(level)) return;
  const std::string_view name = kSubsystems[static_cast<size_t>(subsystem)];
  std::string line =
      rank_ == kNoRank ? fmt::format("[{}] ", name) : fmt::format("[rank {} {}] ", rank_, name);
  if (level == LogLevel::error || level == LogLevel::warn) {
    line += level == LogLevel::error ? "error: " : "warning: ";
  }
  fmt::vformat_to(std::back_inserter(line), format, args);
  // Text from outside must not forge lines or drive a terminal.
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (sink_) {
    sink_(level, line);
  } else {
    standard_error().log(spdlog::level::info, spdlog::string_view_t(line));
  }
}

bool RateLimit::allow(TimePoint at) {
  if (at - window_start_ >= interval_) {
    window_start_ = at;
    used_ = 0;
  }
  if (used_ < limit_) {
    ++used_;
    return true;
  }
  ++suppressed_;
  return false;
}

}  // namespace unirack
