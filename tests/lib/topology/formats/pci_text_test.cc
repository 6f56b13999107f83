#include "lib/topology/formats/pci_text.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

TEST(PciText, AddressesAsFilesWriteThem) {
  const auto canonical = [](const char* text) {
    const auto address = pci_address_from(text);
    return address ? to_text(*address) : "none";
  };
  EXPECT_EQ(canonical("0000:0f:00.0"), "0000:0f:00.0");
  EXPECT_EQ(canonical("00000000:0F:1c.7"), "0000:0f:1c.7");
  EXPECT_EQ(canonical("0f:00.0"), "0000:0f:00.0");
  EXPECT_EQ(canonical("10002:01:00.0"), "10002:01:00.0") << "domains of volume managers";
  for (const char* text :
       {"", ":", "0f:00", "0000:0f:00", "0000:0f:00.", "0000:0f0:00.0", "0000:0f:00.00",
        "0000:0g:00.0", "0x00:0f:00.0", "a:0000:0f:00.0", "000000000:0f:00.0", "0000:-1:00.0"}) {
    EXPECT_EQ(canonical(text), "none") << text;
  }
}

TEST(PciText, Speeds) {
  EXPECT_EQ(pci_speed_from("16 GT/s"), 16.0);
  EXPECT_EQ(pci_speed_from("2.5 GT/s PCIe"), 2.5);
  EXPECT_EQ(pci_speed_from(""), 0.0);
  EXPECT_EQ(pci_speed_from("Unknown speed"), 0.0);
  for (const char* text : {"fast", "GT/s", "-8 GT/s", "1e99 GT/s", "8 GB/s"}) {
    EXPECT_EQ(pci_speed_from(text), std::nullopt) << text;
  }
}

TEST(PciText, VirtualBridges) {
  EXPECT_TRUE(is_virtual_bridge(250'000'000, 500'000'000));
  EXPECT_FALSE(is_virtual_bridge(250'000'000, 250'000'000)) << "the device is as slow";
  EXPECT_FALSE(is_virtual_bridge(500'000'000, 63'000'000'000)) << "trained down, it may be true";
  EXPECT_EQ(lower_case("0000:AB:1c.0-Z"), "0000:ab:1c.0-z");
}

}  // namespace
}  // namespace unirack
