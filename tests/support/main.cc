#include <gmock/gmock.h>

#include "tests/support/results.h"
#include "tests/support/watchdog.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  ::testing::TestEventListeners& listeners = ::testing::UnitTest::GetInstance()->listeners();
  listeners.Append(unirack::testing::make_watchdog());
  if (auto* results = unirack::testing::make_results_listener()) listeners.Append(results);
  return RUN_ALL_TESTS();
}
