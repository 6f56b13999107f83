// Log lines for people: `[rank 3 tcp] lower case sentence`, to standard error unless a sink is
// given.
//
// A Logger is a small value that says who speaks and how much is wanted; whoever runs a rank makes
// one from the configuration and passes it down. Any thread may write through it; each line comes
// out whole. The function that decides an error logs or returns it, never both. Keys are never
// logged. RateLimit keeps a hostile or broken peer from filling the log; it is pure and takes its
// clock.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace unirack {

enum class LogLevel : uint8_t { off, error, warn, info, debug };
enum class Subsystem : uint8_t { boot, ctrl, topo, plan, exec, tcp, shm };

std::string_view level_name(LogLevel level);
std::optional<LogLevel> parse_level(std::string_view name);

class Logger {
 public:
  // Gets every line that is written; called from any thread that logs.
  using Sink = std::function<void(LogLevel level, std::string_view line)>;

  explicit Logger(LogLevel level = LogLevel::warn, Rank rank = kNoRank, Sink sink = {})
      : level_(level), rank_(rank), sink_(std::move(sink)) {}

  bool enabled(LogLevel level) const { return level != LogLevel::off && level <= level_; }

  template <class... Args>
  void error(Subsystem subsystem, fmt::format_string<Args...> format, Args&&... args) const {
    write(LogLevel::error, subsystem, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void warn(Subsystem subsystem, fmt::format_string<Args...> format, Args&&... args) const {
    write(LogLevel::warn, subsystem, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void info(Subsystem subsystem, fmt::format_string<Args...> format, Args&&... args) const {
    write(LogLevel::info, subsystem, format, fmt::make_format_args(args...));
  }
  template <class... Args>
  void debug(Subsystem subsystem, fmt::format_string<Args...> format, Args&&... args) const {
    write(LogLevel::debug, subsystem, format, fmt::make_format_args(args...));
  }

 private:
  void write(LogLevel level, Subsystem subsystem, fmt::string_view format,
             fmt::format_args args) const;

  LogLevel level_;
  Rank rank_;
  Sink sink_;
};

// At most `limit` lines in each `interval`.
class RateLimit {
 public:
  RateLimit(int limit, Duration interval) : limit_(limit), interval_(interval) {}

  // Whether this line may be written.
  bool allow(TimePoint at);
  // How many were held back since last asked, so that the next line can say so.
  uint64_t take_suppressed() { return std::exchange(suppressed_, 0); }

 private:
  int limit_;
  Duration interval_;
  int used_ = 0;
  TimePoint window_start_{};
  uint64_t suppressed_ = 0;
};

}  // namespace unirack
