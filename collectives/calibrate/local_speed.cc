#include "collectives/calibrate/local_speed.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "collectives/calibrate/fit.h"
#include "kernels/reduce.h"
#include "lib/memory/copy.h"

namespace unirack {

namespace {

constexpr size_t kCopyBytes = size_t{512} << 10;
constexpr size_t kSourceBytes = size_t{64} << 10;
constexpr size_t kSources = 2;
constexpr size_t kWalkBytes = size_t{8} << 20;  // beyond what a core keeps for itself
constexpr int kTimesMin = 3;
constexpr int kTimesMax = 16;

// Bytes/s of what `work` does to `bytes`, within about `time`.
uint64_t speed_of(uint64_t bytes, Duration time, const std::function<void()>& work) {
  work();
  std::vector<uint64_t> times_ns;
  const TimePoint begin = now();
  for (int i = 0; i < kTimesMax; ++i) {
    const TimePoint at = now();
    if (i >= kTimesMin && at - begin > time) break;
    work();
    times_ns.push_back(static_cast<uint64_t>(std::chrono::nanoseconds(now() - at).count()));
  }
  constexpr uint64_t kNsPerSecond = 1'000'000'000;
  return bytes * kNsPerSecond / std::max<uint64_t>(1, lower_eighth(std::move(times_ns)));
}

}  // namespace

LocalSpeed measure_local_speed(Deadline until) {
  LocalSpeed speed;
  std::vector<std::byte> target(kWalkBytes);
  const std::vector<std::byte> source(kWalkBytes);
  // As many parts as there are things to measure, and one for the blocks that run over.
  const Duration part = std::max<Duration>(Duration(0), until - now()) / (kDataTypeCount + 2);
  size_t at = 0;
  const auto walk = [&at](size_t bytes) {
    if (at + bytes > kWalkBytes) at = 0;
    return std::exchange(at, at + bytes);
  };
  speed.copy_bandwidth = speed_of(kCopyBytes, part, [&] {
    const size_t place = walk(kCopyBytes);
    copy_bytes(target.data() + place, source.data() + place, kCopyBytes);
  });
  for (int i = 0; i < kDataTypeCount; ++i) {
    const auto type = static_cast<DataType>(i);
    const Reduction reduction{type, ReduceOp::sum, 2, 0};
    speed.reduce_bandwidth[static_cast<size_t>(i)] = speed_of(kSources * kSourceBytes, part, [&] {
      const std::byte* const first = source.data() + walk(kSources * kSourceBytes);
      const std::array<ReduceSource, kSources> sources = {
          {{first, Form::user}, {first + kSourceBytes, Form::user}}};
      std::byte* const into = target.data() + (first - source.data());
      reduce(reduction, {into, Form::user}, sources, kSourceBytes / size_of(type));
    });
  }
  return speed;
}

}  // namespace unirack
