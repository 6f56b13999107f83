// Nominal rates of links, in bytes/s of payload in one direction, from what machines and files call
// them; pure functions. 0 is "not known" and limits nothing. What a rate of ours fills in is marked
// Provenance::assumed by whoever uses it.
//
// Sources: PCI Express Base Specification 6.0, section 4 (encodings); InfiniBand Architecture 1.7
// (lane rates); NVIDIA's product pages for NVLink (P100 160 GB/s of 4 links, V100 300 of 6, A100
// 600 of 12, H100 900 of 18, B200 1800 of 18, RTX A6000 112.5 of 4, both directions together);
// AMD's for Infinity Fabric (MI50 184 GB/s of 2, MI100 276 of 3, MI250X 800 of 8, MI300X 896 of 7,
// MI350X 1075 of 7); NCCL 2.32 src/graph/topo.{h,cc} for what joins CPU sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace unirack {

// A PCIe link of that many lanes at that many GT/s a lane (2.5, 5, 8, 16, 32, 64).
uint64_t pcie_bandwidth(double gigatransfers, unsigned lanes);

// "4xNDR", "4X EDR", "400 Gb/sec (4X NDR)", "100 Gb/sec". Empty: no such width or speed.
std::optional<uint64_t> infiniband_bandwidth(std::string_view width_and_speed);

// A network port of that many Mbit/s; at most 0, as ports that do not know report it: not known.
uint64_t ethernet_bandwidth(int64_t megabits);

// One NVLink of a GPU of compute capability 10 * major + minor: 90 is Hopper, 120 Blackwell.
uint64_t nvlink_bandwidth(int compute_capability);

// One xGMI link of a GPU by architecture, as "gfx942" or in RCCL's older numbers, "908" and "910".
uint64_t xgmi_bandwidth(std::string_view architecture);

// What joins two sockets of x86_64 or ppc64; `vendor` as cpuid says it, "GenuineIntel". AMD's
// family also in the form that NCCL writes, 0x8f for 0x17. Of ARM not known: machines differ a
// hundredfold.
uint64_t smp_bandwidth(std::string_view architecture, std::string_view vendor, int family,
                       int model);

}  // namespace unirack
