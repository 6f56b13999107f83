// Which NVLink fabric a GPU belongs to, as NVML says it in four layouts, and how well it is.
//
// The health mask holds fields of two bits where 1 says yes and 2 says no, so 0xaa is four times
// "no" and perfect health; one field of four bits names a wrong configuration. A GPU that reports a
// completed fabric without a cluster UUID (H100 does) is in no fabric.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/cuda/nvml_library.h"
#include "lib/topology/discover/machine.h"

namespace unirack {

// What the mask says is wrong, in words; empty: nothing.
std::vector<std::string> fabric_faults(uint32_t health_mask);

// "a3b1....clique", the name that Kubernetes labels use too; empty: all zeros, no fabric.
std::string fabric_domain(const uint8_t (&cluster_uuid)[nvml::kUuidBytes], uint32_t clique);

// Nothing: this GPU or library knows no fabric.
std::optional<FabricFacts> read_fabric(const NvmlLibrary& library, nvml::Device device);

}  // namespace unirack
