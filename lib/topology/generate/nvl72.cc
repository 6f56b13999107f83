// Racks of GB200 NVL72: 18 trays of four GPUs in one NVLink domain, a NIC a GPU, in each rack a
// leaf for each rail, spines above.
#include <fmt/format.h>

#include <array>

#include "lib/topology/generate/fabric_builder.h"
#include "lib/topology/generate/families.h"

namespace unirack {

namespace {

constexpr uint32_t kRackGpus = 72;
constexpr uint32_t kTrayGpus = 4;
constexpr uint32_t kNvlinks = 18;
constexpr uint64_t kNvlinkRate = 50'000'000'000;

constexpr std::array<FamilyParameter, 6> kParameters = {{
    {"racks", "1", "racks"},
    {"gpus", "72", "GPUs a rack; 72+66 for racks of different size"},
    {"rails", "4", "leaves of a rack: 1, 2 or 4"},
    {"spines", "9", "spine switches"},
    {"oversubscription", "1", "GB/s below a leaf for each GB/s above"},
    {"nic", "50", "GB/s of a NIC"},
}};

struct Shape {
  std::vector<uint32_t> racks;  // GPUs
  uint32_t rails = 0;
  uint64_t nic = 0;
};

Result<std::vector<uint32_t>> rack_sizes(const Parameters& parameters) {
  auto sizes = UNIRACK_TRY(parameters.counts("gpus", '+', 1, kRackGpus));
  const uint32_t racks = UNIRACK_TRY(parameters.count("racks", 1, kGeneratedGpusMax / kRackGpus));
  if (sizes.size() == 1) sizes.resize(racks, sizes.front());
  if (parameters.is_given("racks") && sizes.size() != racks) {
    return make_error(Code::invalid_argument,
                      fmt::format("gpus names {} racks, racks says {}", sizes.size(), racks));
  }
  UNIRACK_TRY(check_gpu_count(uint64_t{sizes.size()} * kRackGpus));
  return sizes;
}

void add_rack(FabricBuilder& fabric, const Shape& shape, uint32_t index,
              std::vector<Leaf>& leaves) {
  const std::string rack = fmt::format("rack{}", index);
  const uint32_t gpu_count = shape.racks[index];
  const NodeIndex nvswitch = fabric.add(NodeKind::nvswitch, rack + "/nvswitch", {"", rack, rack});
  std::vector<Leaf> rails;
  for (uint32_t rail = 0; rail < std::min(shape.rails, gpu_count) && shape.racks.size() > 1;
       ++rail) {
    rails.push_back({fabric.add(NodeKind::leaf, fmt::format("leaf-{}-rail{}", rack, rail),
                                {"", rack, ""}, static_cast<int>(rail)),
                     0});
  }
  for (uint32_t i = 0; i < gpu_count; ++i) {
    const Location place{fmt::format("{}-tray{:02}", rack, i / kTrayGpus), rack, rack};
    const uint32_t slot = i % kTrayGpus;
    const NodeIndex gpu = fabric.add_gpu(place, slot, "GB200");
    fabric.join(gpu, nvswitch, LinkKind::nvlink, kNvlinkRate, kNvlinks);
    if (rails.empty()) continue;
    const uint32_t rail = slot % shape.rails;
    const NodeIndex nic = fabric.add_nic(place, slot, static_cast<int>(rail), gpu);
    fabric.join(nic, rails[rail].node, LinkKind::infiniband, shape.nic);
    ++rails[rail].port_count;
  }
  leaves.insert(leaves.end(), rails.begin(), rails.end());
}

Result<Graph> make(const Parameters& parameters, std::string_view spec) {
  Shape shape;
  shape.racks = UNIRACK_TRY(rack_sizes(parameters));
  shape.rails = UNIRACK_TRY(parameters.count("rails", 1, kTrayGpus));
  shape.nic = UNIRACK_TRY(parameters.bandwidth("nic"));
  const uint32_t spines = UNIRACK_TRY(parameters.count("spines", 1, 1024));
  const uint32_t over = UNIRACK_TRY(parameters.thousandths("oversubscription", 1, 1'000'000));
  FabricBuilder fabric;
  std::vector<Leaf> leaves;
  for (uint32_t i = 0; i < shape.racks.size(); ++i) add_rack(fabric, shape, i, leaves);
  if (!leaves.empty()) add_spines(fabric, leaves, spines, over, shape.nic);
  return fabric.build(spec);
}

constexpr std::array kGenerators = {
    Generator{{"nvl72", "racks of GB200 NVL72, 400G NICs, leaves and spines", kParameters}, make},
};

}  // namespace

std::span<const Generator> nvl72_generators() { return kGenerators; }

}  // namespace unirack
