// Machines whose GPUs all hang on NVSwitches, with rail-optimised leaves between machines.
#include <fmt/format.h>

#include <array>

#include "lib/topology/generate/fabric_builder.h"
#include "lib/topology/generate/families.h"

namespace unirack {

namespace {

struct Machine {
  std::string_view model;
  uint32_t gpu_count = 8;
  uint32_t nvlink_count = 18;
  uint32_t gpus_per_nic = 1;
};

template <size_t N>
using Table = std::array<FamilyParameter, N>;

constexpr Table<4> parameters_of(std::string_view boxes, std::string_view nvlink,
                                 std::string_view nic) {
  return {{{boxes, "1", "machines"},
           {"nvlink", nvlink, "GB/s of a GPU's NVLinks together"},
           {"nic", nic, "GB/s of a NIC"},
           {"rails", "8", "leaves; NIC i is on leaf i mod rails"}}};
}
constexpr auto kA100 = parameters_of("boxes", "300", "25");
constexpr auto kH100 = parameters_of("boxes", "450", "50");
constexpr auto kB200 = parameters_of("boxes", "900", "50");
constexpr auto kDgx2 = parameters_of("chassis", "125", "12.5");

void join_nvlinks(FabricBuilder& fabric, NodeIndex gpu, NodeIndex nvswitch, uint64_t bandwidth,
                  uint32_t count) {
  // A rate that is no multiple of the links is a measured one: shown as one link.
  if (bandwidth % count != 0) count = 1;
  fabric.join(gpu, nvswitch, LinkKind::nvlink, bandwidth / count, count);
}

Result<Graph> make(const Machine& machine, std::string_view boxes, const Parameters& parameters,
                   std::string_view spec) {
  const uint32_t box_count = UNIRACK_TRY(parameters.count(boxes, 1, kGeneratedGpusMax));
  UNIRACK_TRY(check_gpu_count(uint64_t{box_count} * machine.gpu_count));
  const uint64_t nvlink = UNIRACK_TRY(parameters.bandwidth("nvlink"));
  const uint64_t nic_rate = UNIRACK_TRY(parameters.bandwidth("nic"));
  const uint32_t nic_count = machine.gpu_count / machine.gpus_per_nic;
  const uint32_t rails = UNIRACK_TRY(parameters.count("rails", 1, nic_count));
  FabricBuilder fabric;
  std::vector<NodeIndex> leaves;
  for (uint32_t rail = 0; rail < rails && box_count > 1; ++rail) {
    leaves.push_back(
        fabric.add(NodeKind::leaf, fmt::format("leaf{}", rail), {}, static_cast<int>(rail)));
  }
  for (uint32_t box = 0; box < box_count; ++box) {
    const std::string host = fmt::format("box{}", box);
    const Location place{host, "", host};
    const NodeIndex nvswitch = fabric.add(NodeKind::nvswitch, host + "/nvswitch", place);
    for (uint32_t i = 0; i < machine.gpu_count; ++i) {
      const NodeIndex gpu = fabric.add_gpu(place, i, machine.model);
      join_nvlinks(fabric, gpu, nvswitch, nvlink, machine.nvlink_count);
      if (leaves.empty() || i % machine.gpus_per_nic != 0) continue;
      const uint32_t nic_index = i / machine.gpus_per_nic;
      const uint32_t rail = nic_index % rails;
      const NodeIndex nic = fabric.add_nic(place, nic_index, static_cast<int>(rail), gpu);
      fabric.join(nic, leaves[rail], LinkKind::infiniband, nic_rate);
    }
  }
  return fabric.build(spec);
}

constexpr Machine kDgxA100{"A100", 8, 12, 1};
constexpr Machine kDgxH100{"H100", 8, 18, 1};
constexpr Machine kDgxB200{"B200", 8, 18, 1};
constexpr Machine kDgx2Machine{"V100", 16, 6, 2};

template <const Machine& machine>
Result<Graph> make_boxes(const Parameters& parameters, std::string_view spec) {
  return make(machine, "boxes", parameters, spec);
}

// The rates of TE-CCL's experiments (microsoft/TE-CCL, topologies/dgx2.py); nominal is 150.
Result<Graph> make_dgx2(const Parameters& parameters, std::string_view spec) {
  return make(kDgx2Machine, "chassis", parameters, spec);
}

constexpr std::array kGenerators = {
    Generator{{"dgx-a100", "8 A100 on NVSwitch, 200G NICs", kA100}, make_boxes<kDgxA100>},
    Generator{{"dgx-h100", "8 H100 on NVSwitch, 400G NICs", kH100}, make_boxes<kDgxH100>},
    Generator{{"dgx-b200", "8 B200 on NVSwitch, 400G NICs", kB200}, make_boxes<kDgxB200>},
    Generator{{"ndv4", "Azure ND A100 v4: 8 A100, 200G NICs", kA100}, make_boxes<kDgxA100>},
    Generator{{"ndv5", "Azure ND H100 v5: 8 H100, 400G NICs", kH100}, make_boxes<kDgxH100>},
    Generator{{"dgx2", "16 V100 on NVSwitch at measured rates, a 100G NIC for two", kDgx2},
              make_dgx2},
};

}  // namespace

std::span<const Generator> nvswitch_generators() { return kGenerators; }

}  // namespace unirack
