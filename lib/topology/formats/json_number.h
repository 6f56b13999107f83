// Rates and times of JSON files in our integers and back. Pure; callable from any thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "lib/topology/graph.h"

namespace unirack {

// `value` units of `unit` bytes/s. Empty: negative, not finite or beyond the graph's limit.
inline std::optional<uint64_t> bandwidth_from(double value, double unit) {
  constexpr double kRounding = 1 + 1e-9;  // of what was written in decimals
  const double bytes = value * unit;
  if (!(bytes >= 0) || bytes > static_cast<double>(kBandwidthMax) * kRounding) return std::nullopt;
  return std::min(static_cast<uint64_t>(std::llround(bytes)), kBandwidthMax);
}

// `value` units of `unit` nanoseconds.
inline std::optional<uint32_t> latency_from(double value, double unit) {
  const double ns = value * unit;
  if (!(ns >= 0) || ns > static_cast<double>(UINT32_MAX)) return std::nullopt;
  return static_cast<uint32_t>(std::llround(ns));
}

}  // namespace unirack
