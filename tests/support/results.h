// Writes down each test as it starts and ends, so that the closing count of scripts/test.sh is true
// even when the process crashes half-way. Lines: `planned N`, then `start NAME` and one of
// `passed NAME MS`, `failed NAME MS`, `skipped NAME MS`. Used by the main thread of the test
// process only.
#pragma once

#include <gtest/gtest.h>

namespace unirack::testing {

// A listener that appends to the file named by UNIRACK_TEST_RESULTS, or null when that is unset.
::testing::TestEventListener* make_results_listener();

}  // namespace unirack::testing
