#include "lib/topology/discover/pci_config.h"

#include <gtest/gtest.h>

#include <vector>

#include "lib/base/random.h"

namespace unirack {
namespace {

template <class T>
void put(std::vector<std::byte>& config, size_t offset, T value) {
  store_little(config.data() + offset, value);
}

// Power management at 0x40, PCI Express at 0x60; extended: AER at 0x100, ACS at 0x148.
std::vector<std::byte> device() {
  std::vector<std::byte> config(kPciConfigBytesMax);
  put<uint16_t>(config, 0x06, 0x0010);
  put<uint8_t>(config, 0x34, 0x40);
  put<uint16_t>(config, 0x40, 0x6001);
  put<uint16_t>(config, 0x60, 0x0010);
  put<uint32_t>(config, 0x6c, 0x00000105);  // 32 GT/s, 16 lanes
  put<uint16_t>(config, 0x72, 0x1084);      // 16 GT/s, 8 lanes
  put<uint32_t>(config, 0x100, 0x14820001);
  put<uint32_t>(config, 0x148, 0x0001000d);
  put<uint16_t>(config, 0x14e, 0x001d);
  return config;
}

TEST(PciConfig, ReadsLinkAndAccessControl) {
  const auto config = device();
  const auto link = pcie_link_in(config);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->trained, (PcieRate{16, 8}));
  EXPECT_EQ(link->possible, (PcieRate{32, 16}));
  EXPECT_EQ(acs_control_in(config), 0x001d);
  EXPECT_NE(*acs_control_in(config) & kAcsRedirects, 0);
}

TEST(PciConfig, WhatMayNotBeReadIsNotKnown) {
  const auto config = device();
  EXPECT_FALSE(pcie_link_in(BytesView(config).first(64)));
  EXPECT_TRUE(pcie_link_in(BytesView(config).first(256)));
  EXPECT_FALSE(acs_control_in(BytesView(config).first(256)));
  EXPECT_FALSE(acs_control_in(BytesView(config).first(0x14f)));
  EXPECT_FALSE(pcie_link_in({}));
  EXPECT_FALSE(acs_control_in({}));
}

TEST(PciConfig, WithoutCapabilities) {
  auto config = device();
  put<uint16_t>(config, 0x06, 0);
  EXPECT_FALSE(pcie_link_in(config));
  put<uint32_t>(config, 0x100, 0xffffffff);
  EXPECT_FALSE(acs_control_in(config)) << "a device that fell off the bus";
}

TEST(PciConfig, ListsThatAreRingsEnd) {
  auto config = device();
  put<uint16_t>(config, 0x60, 0x4005);
  EXPECT_FALSE(pcie_link_in(config));
  put<uint32_t>(config, 0x148, 0x1001000e);
  EXPECT_FALSE(acs_control_in(config));
}

TEST(PciConfig, AnyBytesAreSurvived) {
  Random random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::byte> config(random.below(kPciConfigBytesMax + 1));
    random.fill(config);
    if (config.size() > 8) config[6] |= std::byte{0x10};
    (void)pcie_link_in(config);
    (void)acs_control_in(config);
  }
}

}  // namespace
}  // namespace unirack
