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

// Of so many rounds, where sanitizers make each several times as long.
template <typename Count>
Count rounds(Count usual) {
  return has_scope("brief") ? usual / 4 + 1 : usual;
}

}  // namespace unirack::testing
