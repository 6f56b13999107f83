// The families that generate() knows: one file each, listed here. A generator reads its parameters
// and builds; names and defaults of parameters stand in its table only. Pure functions.
#pragma once

#include <span>
#include <string_view>

#include "lib/topology/generate/parameters.h"

namespace unirack {

struct Generator {
  FabricFamily family;
  // `spec` is what was asked for, for Graph::origin().
  Result<Graph> (*make)(const Parameters& parameters, std::string_view spec) = nullptr;
};

std::span<const Generator> nvswitch_generators();
std::span<const Generator> cube_mesh_generators();
std::span<const Generator> instinct_generators();
std::span<const Generator> nvl72_generators();
std::span<const Generator> leaf_spine_generators();
std::span<const Generator> grid_generators();
std::span<const Generator> pcie_generators();

// No generated fabric has more.
inline constexpr uint32_t kGeneratedGpusMax = 200'000;
Status check_gpu_count(uint64_t count);

}  // namespace unirack
