// The transports that the conformance suites run over.
#pragma once

#include "tests/support/transport_pool.h"

// One instantiation a transport; the name decides whether the thread sanitizer runs it.
#define UNIRACK_CONFORMANCE(suite)                                                           \
  INSTANTIATE_TEST_SUITE_P(LoopbackThreaded, suite, ::testing::Values(Subject{"loopback"})); \
  UNIRACK_CONFORMANCE_OF_PROCESSES(suite)

// The transports that join processes.
#define UNIRACK_CONFORMANCE_OF_PROCESSES(suite)                                             \
  INSTANTIATE_TEST_SUITE_P(Shm, suite,                                                      \
                           ::testing::Values(Subject{"shm", true}, Subject{"shm", false})); \
  INSTANTIATE_TEST_SUITE_P(TcpThreaded, suite, ::testing::Values(Subject{"tcp"}))
