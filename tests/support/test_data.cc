#include "tests/support/test_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace unirack::testing {

namespace {

std::optional<std::filesystem::path> root() {
  const char* folder = std::getenv("UNIRACK_TEST_DATA");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return std::filesystem::path(folder);
}

}  // namespace

std::optional<std::string> read_test_data(const std::string& path) {
  const auto folder = root();
  if (!folder) return std::nullopt;
  std::ifstream file(*folder / path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::vector<std::string> list_test_data(const std::string& folder, const std::string& extension) {
  std::vector<std::string> names;
  const auto top = root();
  if (!top) return names;
  for (const auto& entry : std::filesystem::directory_iterator(*top / folder)) {
    if (entry.path().extension() == extension) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace unirack::testing
