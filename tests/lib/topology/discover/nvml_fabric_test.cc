#include "lib/topology/discover/nvml_fabric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_nvml_handle.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using unirack::testing::FakeNvmlHandle;

struct Mask {
  uint32_t mask;
  std::vector<std::string> faults;
};

TEST(NvmlFabric, HealthMasks) {
  const Mask masks[] = {
      {0x0000, {}},  // nothing supported
      {0x00aa, {}},  // four times "no": misread elsewhere as four paths that are down
      {0x01aa, {}},  // and the configuration is right
      {0x51aa, {}},  // a partition is assigned, the fabric manager is connected
      {0x00a9, {"degraded bandwidth"}},
      {0x00a6, {"route recovery in progress"}},
      {0x009a, {"unhealthy route"}},
      {0x006a, {"recovering from access timeouts"}},
      {0x0055,
       {"degraded bandwidth", "route recovery in progress", "unhealthy route",
        "recovering from access timeouts"}},
      {0x02aa, {"wrong configuration: wrong system GUID"}},
      {0x05aa, {"wrong configuration: too few NVLinks"}},
      {0x08aa, {"wrong configuration: invalid GPU state"}},
      {0x0faa, {"wrong configuration (reason 15)"}},
      {0x61aa, {"no partition assigned"}},
      {0x91aa, {"fabric manager disconnected"}},
      {0xffff0000, {}},  // of versions to come
  };
  for (const Mask& each : masks) {
    EXPECT_EQ(fabric_faults(each.mask), each.faults) << std::hex << each.mask;
  }
}

TEST(NvmlFabric, DomainIsNamedAsInKubernetes) {
  uint8_t uuid[16] = {0xa3, 0xb1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb, 0xc, 0xd};
  EXPECT_EQ(fabric_domain(uuid, 32766), "a3b10001-0203-0405-0607-08090a0b0c0d.32766");
  std::fill(std::begin(uuid), std::end(uuid), uint8_t{0});
  EXPECT_EQ(fabric_domain(uuid, 1), "");
}

class Fabric : public ::testing::Test {
 protected:
  Fabric() {
    fake_->gpu_count = 1;
    auto& gpu = fake_->gpus[0];
    gpu.cluster_uuid[15] = 7;
    gpu.clique = 3;
    gpu.fabric_state = static_cast<uint8_t>(nvml::FabricState::completed);
    gpu.health_mask = 0xaa;
  }

  std::optional<FabricFacts> read() {
    const auto library = NvmlLibrary::load(fake_.path());
    nvml::Device device = nullptr;
    EXPECT_EQ(library->functions().device_by_index(0, &device), nvml::kSuccess);
    return read_fabric(*library, device);
  }

  FakeNvmlHandle fake_;
};

constexpr const char* kDomain = "00000000-0000-0000-0000-000000000007.3";

TEST_F(Fabric, EveryVersionSaysTheSame) {
  for (int version = 1; version <= 4; ++version) {
    fake_->gpus[0].fabric_version = version;
    const auto facts = read();
    ASSERT_TRUE(facts) << version;
    EXPECT_EQ(facts->domain, kDomain) << version;
    EXPECT_EQ(facts->state, "completed");
    EXPECT_THAT(facts->faults, IsEmpty());
  }
  fake_->gpus[0].fabric_version = 0;
  EXPECT_FALSE(read());
}

TEST_F(Fabric, HealthComesFromVersionTwoOn) {
  fake_->gpus[0].health_mask = 0xa9;
  for (int version = 1; version <= 4; ++version) {
    fake_->gpus[0].fabric_version = version;
    EXPECT_EQ(read()->faults.size(), version >= 2 ? 1u : 0u) << version;
  }
  fake_->gpus[0].health_mask = 0;
  fake_->gpus[0].health_summary = 3;
  EXPECT_THAT(read()->faults, ElementsAre("limited capacity"));
}

TEST_F(Fabric, CompletedWithoutUuidIsNoFabric) {
  fake_->gpus[0].fabric_version = 3;
  fake_->gpus[0].cluster_uuid[15] = 0;
  fake_->gpus[0].health_mask = 0xa9;
  const auto facts = read();
  EXPECT_EQ(facts->domain, "");
  EXPECT_THAT(facts->faults, IsEmpty()) << "an H100 says anything here";
}

TEST_F(Fabric, NotRegisteredIsAFault) {
  fake_->gpus[0].fabric_version = 3;
  fake_->gpus[0].fabric_state = static_cast<uint8_t>(nvml::FabricState::in_progress);
  EXPECT_THAT(read()->faults, ElementsAre("registration with the fabric is in progress"));
  EXPECT_EQ(read()->domain, "");
  fake_->gpus[0].fabric_state = static_cast<uint8_t>(nvml::FabricState::completed);
  fake_->gpus[0].fabric_status = 999;
  EXPECT_THAT(read()->faults, ElementsAre(HasSubstr("failed: Unknown Error (999)")));
  EXPECT_EQ(read()->domain, "");
  fake_->gpus[0].fabric_state = static_cast<uint8_t>(nvml::FabricState::not_supported);
  EXPECT_THAT(read()->faults, IsEmpty());
}

}  // namespace
}  // namespace unirack
