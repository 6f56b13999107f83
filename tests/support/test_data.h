// Files that are not in the repository, in the folder that UNIRACK_TEST_DATA names: tests that need
// them skip when it is unset. Called from the thread of the test.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace unirack::testing {

// The whole file at `path` below the folder; empty: the folder is not set. A file that is missing
// from a folder that is set fails the test.
std::optional<std::string> read_test_data(const std::string& path);

// The names of the files in `folder` below it that end in `extension`, sorted.
std::vector<std::string> list_test_data(const std::string& folder, const std::string& extension);

inline constexpr const char* kNoTestData = "UNIRACK_TEST_DATA is not set";

}  // namespace unirack::testing
