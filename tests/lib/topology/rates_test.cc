#include "lib/topology/rates.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

TEST(Rates, PcieAfterEncoding) {
  EXPECT_EQ(pcie_bandwidth(2.5, 1), 250'000'000u);
  EXPECT_EQ(pcie_bandwidth(5, 16), 8'000'000'000u);
  EXPECT_EQ(pcie_bandwidth(8, 16), 15'753'846'153u);
  EXPECT_EQ(pcie_bandwidth(16, 16), 31'507'692'307u);
  EXPECT_EQ(pcie_bandwidth(32, 16), 63'015'384'615u);
  EXPECT_EQ(pcie_bandwidth(64, 16), 121'000'000'000u);
}

TEST(Rates, PcieOfNothingKnownIsNotKnown) {
  EXPECT_EQ(pcie_bandwidth(0, 16), 0u);
  EXPECT_EQ(pcie_bandwidth(-8, 16), 0u);
  EXPECT_EQ(pcie_bandwidth(8, 0), 0u);
  EXPECT_EQ(pcie_bandwidth(8, 4'000'000'000u), 0u);
  EXPECT_EQ(pcie_bandwidth(1e300, 16), 0u);
  EXPECT_EQ(pcie_bandwidth(__builtin_nan(""), 16), 0u);
}

TEST(Rates, InfinibandAsToolsWriteIt) {
  EXPECT_EQ(infiniband_bandwidth("4xNDR"), 50'000'000'000u);
  EXPECT_EQ(infiniband_bandwidth(" 4X NDR "), 50'000'000'000u);
  EXPECT_EQ(infiniband_bandwidth("400 Gb/sec (4X NDR)"), 50'000'000'000u);
  EXPECT_EQ(infiniband_bandwidth("1xEDR"), 3'125'000'000u);
  EXPECT_EQ(infiniband_bandwidth("4xHDR"), 25'000'000'000u);
  EXPECT_EQ(infiniband_bandwidth("4xXDR"), 100'000'000'000u);
  EXPECT_EQ(infiniband_bandwidth("4xQDR"), 4'000'000'000u);
  EXPECT_EQ(infiniband_bandwidth("56 Gb/sec (4X FDR)"), 6'818'181'818u);
  EXPECT_EQ(infiniband_bandwidth("4xFDR10"), 5'000'000'000u);
  EXPECT_EQ(infiniband_bandwidth("12xSDR"), 3'000'000'000u);
  EXPECT_EQ(infiniband_bandwidth("100 Gb/sec"), 12'500'000'000u);
  EXPECT_EQ(infiniband_bandwidth("2.5 Gb/sec (unheard of)"), 312'500'000u);
}

TEST(Rates, InfinibandOtherwiseIsRefused) {
  for (const char* text :
       {"", "4x", "xNDR", "3xNDR", "4xNDRX", "NDR", "-1 Gb/sec", "0 Gb/sec", "nan Gb/sec",
        "1e99 Gb/sec", "100", "100 GB/s", "4294967296xEDR", "()"}) {
    EXPECT_EQ(infiniband_bandwidth(text), std::nullopt) << text;
  }
}

TEST(Rates, Ethernet) {
  EXPECT_EQ(ethernet_bandwidth(400'000), 50'000'000'000u);
  EXPECT_EQ(ethernet_bandwidth(10), 1'250'000u);
  EXPECT_EQ(ethernet_bandwidth(0), 0u);
  EXPECT_EQ(ethernet_bandwidth(-1), 0u);
  EXPECT_EQ(ethernet_bandwidth(INT64_MAX), 0u);
}

TEST(Rates, NvlinkByCapability) {
  EXPECT_EQ(nvlink_bandwidth(37), 0u);
  EXPECT_EQ(nvlink_bandwidth(60), 20'000'000'000u);
  EXPECT_EQ(nvlink_bandwidth(70) * 6, 150'000'000'000u);
  EXPECT_EQ(nvlink_bandwidth(75), 25'000'000'000u);
  EXPECT_EQ(nvlink_bandwidth(80) * 12, 300'000'000'000u);
  EXPECT_EQ(nvlink_bandwidth(86) * 4, 56'250'000'000u);
  EXPECT_EQ(nvlink_bandwidth(90) * 18, 450'000'000'000u);
  EXPECT_EQ(nvlink_bandwidth(100) * 18, 900'000'000'000u);
  EXPECT_EQ(nvlink_bandwidth(120), 50'000'000'000u);
}

TEST(Rates, XgmiByArchitecture) {
  EXPECT_EQ(xgmi_bandwidth("gfx906"), 46'000'000'000u);
  EXPECT_EQ(xgmi_bandwidth("908"), 46'000'000'000u);
  EXPECT_EQ(xgmi_bandwidth("gfx90a"), 50'000'000'000u);
  EXPECT_EQ(xgmi_bandwidth("910"), 50'000'000'000u);
  EXPECT_EQ(xgmi_bandwidth("gfx942"), 64'000'000'000u);
  EXPECT_EQ(xgmi_bandwidth("gfx950"), 76'800'000'000u);
  EXPECT_EQ(xgmi_bandwidth("gfx1100"), 0u);
  EXPECT_EQ(xgmi_bandwidth(""), 0u);
}

TEST(Rates, BetweenSockets) {
  EXPECT_EQ(smp_bandwidth("x86_64", "GenuineIntel", 6, 79), 6'000'000'000u);     // Broadwell
  EXPECT_EQ(smp_bandwidth("x86_64", "GenuineIntel", 6, 85), 10'000'000'000u);    // Skylake
  EXPECT_EQ(smp_bandwidth("x86_64", "GenuineIntel", 6, 143), 22'000'000'000u);   // Sapphire Rapids
  EXPECT_EQ(smp_bandwidth("x86_64", "GenuineIntel", 6, 207), 40'000'000'000u);   // Emerald Rapids
  EXPECT_EQ(smp_bandwidth("x86_64", "GenuineIntel", 6, 173), 40'000'000'000u);   // Granite Rapids
  EXPECT_EQ(smp_bandwidth("x86_64", "AuthenticAMD", 23, 49), 16'000'000'000u);   // Rome
  EXPECT_EQ(smp_bandwidth("x86_64", "AuthenticAMD", 143, 49), 16'000'000'000u);  // the same
  EXPECT_EQ(smp_bandwidth("x86_64", "AuthenticAMD", 25, 17), 24'000'000'000u);   // Genoa
  EXPECT_EQ(smp_bandwidth("x86_64", "AuthenticAMD", 26, 2), 32'000'000'000u);    // Turin
  EXPECT_EQ(smp_bandwidth("x86_64", "  Shanghai  ", 7, 0x5b), 9'000'000'000u);
  EXPECT_EQ(smp_bandwidth("ppc64", "", 0, 0), 32'000'000'000u);
  EXPECT_EQ(smp_bandwidth("arm64", "ARM", 0, 0), 0u);
  EXPECT_EQ(smp_bandwidth("x86_64", "other", 6, 85), 0u);
}

}  // namespace
}  // namespace unirack
