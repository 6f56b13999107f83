// Machines of AMD Instinct accelerators, joined by xGMI without a switch.
#include <fmt/format.h>

#include <array>

#include "lib/topology/generate/fabric_builder.h"
#include "lib/topology/generate/families.h"

namespace unirack {

namespace {

// Links between two GPUs.
struct Bundle {
  uint8_t a, b, count;
};
// The sixteen dies of eight MI250, two a package, in xGMI links: as rocm-smi prints it, and as
// ForestColl (liangyuRain/ForestColl, topologies.py) evaluates it.
constexpr std::array<Bundle, 28> kMi250 = {
    {{0, 1, 4},   {0, 4, 2},   {0, 8, 1},   {1, 5, 1},   {1, 9, 1},   {1, 10, 1},  {2, 3, 4},
     {2, 6, 1},   {2, 9, 1},   {2, 10, 1},  {3, 7, 2},   {3, 11, 1},  {4, 5, 4},   {4, 6, 1},
     {5, 6, 1},   {5, 7, 1},   {6, 7, 4},   {8, 9, 4},   {8, 12, 2},  {9, 13, 1},  {10, 11, 4},
     {10, 14, 1}, {11, 15, 2}, {12, 13, 4}, {12, 14, 1}, {13, 14, 1}, {13, 15, 1}, {14, 15, 4}}};

constexpr std::array<FamilyParameter, 3> kMi250Parameters = {{
    {"boxes", "1", "machines"},
    {"xgmi", "50", "GB/s of one xGMI link"},
    {"nic", "16", "GB/s of a die's share of the NICs"},
}};
constexpr std::array<FamilyParameter, 3> kMi300Parameters = {{
    {"boxes", "1", "machines"},
    {"xgmi", "64", "GB/s of one xGMI link"},
    {"nic", "50", "GB/s of a NIC"},
}};

std::vector<Bundle> full_mesh(uint8_t count) {
  std::vector<Bundle> bundles;
  for (uint8_t a = 0; a < count; ++a) {
    for (uint8_t b = static_cast<uint8_t>(a + 1); b < count; ++b) bundles.push_back({a, b, 1});
  }
  return bundles;
}

Result<Graph> make(uint32_t gpu_count, std::span<const Bundle> bundles, std::string_view model,
                   const Parameters& parameters, std::string_view spec) {
  const uint32_t boxes = UNIRACK_TRY(parameters.count("boxes", 1, kGeneratedGpusMax / gpu_count));
  const uint64_t xgmi = UNIRACK_TRY(parameters.bandwidth("xgmi"));
  const uint64_t nic_rate = UNIRACK_TRY(parameters.bandwidth("nic"));
  FabricBuilder fabric;
  const NodeIndex leaf = boxes > 1 ? fabric.add(NodeKind::leaf, "leaf0", {}, 0) : 0;
  for (uint32_t box = 0; box < boxes; ++box) {
    const std::string host = fmt::format("box{}", box);
    const Location place{host, "", host};
    std::vector<NodeIndex> gpus;
    for (uint32_t i = 0; i < gpu_count; ++i) {
      gpus.push_back(fabric.add_gpu(place, i, model));
      if (boxes == 1) continue;
      fabric.join(fabric.add_nic(place, i, 0, gpus.back()), leaf, LinkKind::infiniband, nic_rate);
    }
    for (const Bundle& bundle : bundles) {
      fabric.join(gpus[bundle.a], gpus[bundle.b], LinkKind::xgmi, xgmi, bundle.count);
    }
  }
  return fabric.build(spec);
}

Result<Graph> make_mi250(const Parameters& parameters, std::string_view spec) {
  return make(16, kMi250, "MI250", parameters, spec);
}

Result<Graph> make_mi300x(const Parameters& parameters, std::string_view spec) {
  return make(8, full_mesh(8), "MI300X", parameters, spec);
}

constexpr std::array kGenerators = {
    Generator{{"mi250", "16 dies of MI250 on xGMI, NICs on one switch", kMi250Parameters},
              make_mi250},
    Generator{{"mi300x", "8 MI300X, each joined to each by xGMI", kMi300Parameters}, make_mi300x},
};

}  // namespace

std::span<const Generator> instinct_generators() { return kGenerators; }

}  // namespace unirack
