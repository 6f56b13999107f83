// The transports that the conformance suites run over.
#pragma once

#include "tests/support/transport_pool.h"

// One instantiation a transport. Suites whose ranks have threads of their own say so in the name,
// which is how the thread sanitizer finds them; it cannot see into memory that processes share.
#define UNIRACK_CONFORMANCE(suite)                                                   \
  INSTANTIATE_TEST_SUITE_P(Loopback, suite, ::testing::Values(Subject{"loopback"})); \
  UNIRACK_CONFORMANCE_OF_PROCESSES(suite)

// The transports that join processes.
#define UNIRACK_CONFORMANCE_OF_PROCESSES(suite)                                             \
  INSTANTIATE_TEST_SUITE_P(Shm, suite,                                                      \
                           ::testing::Values(Subject{"shm", true}, Subject{"shm", false})); \
  INSTANTIATE_TEST_SUITE_P(Tcp, suite, ::testing::Values(Subject{"tcp"}, Subject{"tcp", true, 2}))
