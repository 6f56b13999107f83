#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/topology/discover/discover_parts.h"
#include "tests/support/fake_nvml_handle.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using unirack::testing::FakeGpu;
using unirack::testing::FakeNvmlHandle;

MachineFacts read(const FakeNvmlHandle& fake) {
  MachineFacts facts;
  read_nvml(fake.path(), facts);
  return facts;
}

// Each GPU reaches the four switches by 5, 5, 4 and 4 links.
void fill_hopper(FakeNvmlHandle& fake, uint32_t count) {
  fake->gpu_count = count;
  for (uint32_t i = 0; i < count; ++i) {
    FakeGpu& gpu = fake->gpus[i];
    gpu.bus = 0x1b + 0x10 * i;
    gpu.name = "NVIDIA H100 80GB HBM3";
    for (uint32_t link = 0; link < 18; ++link) {
      gpu.links[link] = {true, true, nvml::RemoteDevice::nvswitch, 0x7 + link % 4};
    }
  }
}

TEST(DiscoverNvml, SwitchedGpus) {
  FakeNvmlHandle fake;
  fill_hopper(fake, 8);
  const MachineFacts facts = read(fake);
  EXPECT_TRUE(facts.has_nvml);
  EXPECT_EQ(facts.driver_version, "580.65.06");
  ASSERT_EQ(facts.gpus.size(), 8u);
  EXPECT_EQ(facts.gpus[1].bus_id, "0000:2b:00.0");
  EXPECT_EQ(facts.gpus[1].index, 1u);
  EXPECT_EQ(facts.gpus[1].model, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(facts.gpus[1].uuid, "GPU-1");
  EXPECT_EQ(facts.gpus[1].compute_capability, 90);
  EXPECT_THAT(facts.gpus[1].nvlinks,
              ElementsAre(NvlinkFacts{nvml::RemoteDevice::nvswitch, "", true, 18}));
  EXPECT_FALSE(facts.gpus[1].fabric);
  EXPECT_THAT(facts.notes, IsEmpty());
  EXPECT_EQ(fake->open_count, 0);
}

TEST(DiscoverNvml, LinksThatAreDownAndPeersThatAreBlocked) {
  FakeNvmlHandle fake;
  fill_hopper(fake, 2);
  fake->gpus[0].links[7].up = false;
  fake->p2p[1][0] = nvml::P2pStatus::chipset_not_supported;
  const MachineFacts facts = read(fake);
  EXPECT_THAT(facts.gpus[0].nvlinks,
              ElementsAre(NvlinkFacts{nvml::RemoteDevice::nvswitch, "", true, 17},
                          NvlinkFacts{nvml::RemoteDevice::unknown, "", false, 1}));
  EXPECT_THAT(facts.gpus[0].blocked_peers, IsEmpty());
  EXPECT_THAT(facts.gpus[1].blocked_peers,
              ElementsAre(Pair(0u, "the chipset does not support it")));
}

TEST(DiscoverNvml, PartitionedGpus) {
  FakeNvmlHandle fake;
  fill_hopper(fake, 1);
  fake->gpus[0].mig_count = 3;
  const MachineFacts facts = read(fake);
  EXPECT_TRUE(facts.gpus[0].mig);
  EXPECT_EQ(facts.gpus[0].mig_count, 3u);
}

TEST(DiscoverNvml, PlaceInTheRack) {
  FakeNvmlHandle fake;
  fill_hopper(fake, 1);
  fake->gpus[0].chassis = "1820124680012";
  fake->gpus[0].slot = 24;
  fake->gpus[0].tray = 9;
  fake->gpus[0].c2c = true;
  const MachineFacts facts = read(fake);
  EXPECT_EQ(facts.gpus[0].rack, "1820124680012");
  EXPECT_THAT(facts.gpus[0].place, ElementsAre(Pair("slot", "24"), Pair("tray", "9"),
                                               Pair("host_in_tray", "1"), Pair("module", "1")));
  EXPECT_TRUE(facts.gpus[0].c2c);
}

TEST(DiscoverNvml, OldDriverSaysLess) {
  FakeNvmlHandle fake(true);
  fill_hopper(fake, 1);
  fake->gpus[0].chassis = "1820124680012";
  const MachineFacts facts = read(fake);
  ASSERT_EQ(facts.gpus.size(), 1u);
  // The other ends by their bus ids, which the machine's PCI bus explains.
  ASSERT_EQ(facts.gpus[0].nvlinks.size(), 4u);
  EXPECT_EQ(facts.gpus[0].nvlinks[0],
            (NvlinkFacts{nvml::RemoteDevice::unknown, "0000:07:00.0", true, 5}));
  EXPECT_FALSE(facts.gpus[0].fabric);
  EXPECT_EQ(facts.gpus[0].rack, "");
}

TEST(DiscoverNvml, ErrorsAreNotes) {
  FakeNvmlHandle fake;
  fill_hopper(fake, 2);
  fake->gpus[0].broken = 15;
  MachineFacts facts = read(fake);
  ASSERT_EQ(facts.gpus.size(), 1u);
  EXPECT_EQ(facts.gpus[0].index, 1u);
  EXPECT_THAT(facts.notes,
              ElementsAre("GPU 0 cannot be asked and is left out: Unknown Error (15)"));

  fake->count = nvml::kNotSupported;
  facts = read(fake);
  EXPECT_FALSE(facts.has_nvml);
  EXPECT_THAT(facts.notes, ElementsAre("NVML does not list GPUs: Not Supported (3)"));

  fake->init = nvml::kDriverNotLoaded;
  facts = read(fake);
  EXPECT_FALSE(facts.has_nvml);
  EXPECT_THAT(facts.notes, ElementsAre(HasSubstr("Driver Not Loaded")));
}

}  // namespace
}  // namespace unirack
