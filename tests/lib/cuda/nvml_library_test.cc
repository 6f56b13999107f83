#include "lib/cuda/nvml_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_nvml_handle.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using unirack::testing::FakeNvmlHandle;

TEST(NvmlLibrary, StartsAndShutsDown) {
  FakeNvmlHandle fake;
  {
    auto library = NvmlLibrary::load(fake.path());
    ASSERT_TRUE(library) << library.error().to_string();
    EXPECT_EQ(fake->open_count, 1);
    NvmlLibrary moved = std::move(library).value();
    EXPECT_EQ(fake->open_count, 1);
    EXPECT_NE(moved.functions().fabric_info_4, nullptr);
    EXPECT_EQ(moved.describe(nvml::kNotSupported), "Not Supported (3)");
  }
  EXPECT_EQ(fake->open_count, 0);
}

TEST(NvmlLibrary, OldOnesLackFunctions) {
  FakeNvmlHandle fake(true);
  const auto library = NvmlLibrary::load(fake.path());
  ASSERT_TRUE(library);
  EXPECT_EQ(library->functions().fabric_info_versioned, nullptr);
  nvml::C2cMode mode{};
  EXPECT_EQ(call(library->functions().c2c_mode, nvml::Device{}, &mode), nvml::kFunctionNotFound);
}

TEST(NvmlLibrary, SaysWhyThereIsNone) {
  const auto missing = NvmlLibrary::load("/nowhere/libnvidia-ml.so.1");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.code(), Code::unavailable);
  EXPECT_THAT(missing.error().detail, HasSubstr("/nowhere/libnvidia-ml.so.1"));

  FakeNvmlHandle fake;
  fake->init = nvml::kDriverNotLoaded;
  const auto stopped = NvmlLibrary::load(fake.path());
  ASSERT_FALSE(stopped);
  EXPECT_THAT(stopped.error().detail, HasSubstr("Driver Not Loaded (9)"));
  EXPECT_EQ(fake->open_count, 0);

  // A library, but another one.
  const auto other = NvmlLibrary::load("libm.so.6");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().detail, HasSubstr("lacks even the functions"));
}

}  // namespace
}  // namespace unirack
