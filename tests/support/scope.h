// How much of a long test runs: UNIRACK_TEST_SCOPE, which CMake sets. `brief` under sanitizers,
// `usual` otherwise, `full` where scripts/test.sh --full asks for it, `all` by hand.
#pragma once

#include <cstdlib>
#include <string_view>

namespace unirack::testing {

inline bool has_scope(std::string_view name) {
  const char* scope = std::getenv("UNIRACK_TEST_SCOPE");
  return scope != nullptr && scope == name;
}

}  // namespace unirack::testing
