// A time limit on every test. When a test takes too long, the watchdog prints the stacks of all
// threads of this process and of its children (gdb is used when it is installed), kills the
// children, and aborts with the test's name.
//
// It is a timer and a signal handler, not a thread: a test that forks stays single-threaded, and a
// forked child has no timer. The limit is UNIRACK_TEST_TIMEOUT_S seconds (30 when unset, 0 turns
// the watchdog off, for a debugger).
#pragma once

#include <gtest/gtest.h>

namespace unirack::testing {

// The listener that arms the limit for each test; give it to gtest once, at start.
::testing::TestEventListener* make_watchdog();

// Called in a test that is known to be long: it now has `factor` times the usual limit, counted
// from this call.
void extend_watchdog(int factor);

}  // namespace unirack::testing
