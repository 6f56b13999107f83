#include "collectives/calibrate/local_speed.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

TEST(LocalSpeed, EverythingHasASpeed) {
  // No machine that runs this is slower than 1 MB/s or faster than 10 TB/s.
  const auto is_sane = [](uint64_t bandwidth) {
    return bandwidth > 1'000'000 && bandwidth < 10'000'000'000'000;
  };
  for (const auto time : {milliseconds(20), milliseconds(0)}) {
    const LocalSpeed speed = measure_local_speed(deadline_in(time));
    EXPECT_TRUE(is_sane(speed.copy_bandwidth)) << speed.copy_bandwidth;
    for (int i = 0; i < kDataTypeCount; ++i) {
      const uint64_t bandwidth = speed.reduce_bandwidth[static_cast<size_t>(i)];
      EXPECT_TRUE(is_sane(bandwidth)) << type_name(static_cast<DataType>(i)) << " " << bandwidth;
    }
  }
}

}  // namespace
}  // namespace unirack
