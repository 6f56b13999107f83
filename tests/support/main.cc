#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/support/results.h"
#include "tests/support/watchdog.h"

int main(int argc, char** argv) {
  // Pools of tests neither spend a second on measuring nor leave files in the user's home.
  ::setenv("UNIRACK_CALIBRATION", "default", 0);
  ::testing::InitGoogleMock(&argc, argv);
  ::testing::TestEventListeners& listeners = ::testing::UnitTest::GetInstance()->listeners();
  listeners.Append(unirack::testing::make_watchdog());
  if (auto* results = unirack::testing::make_results_listener()) listeners.Append(results);
  return RUN_ALL_TESTS();
}
