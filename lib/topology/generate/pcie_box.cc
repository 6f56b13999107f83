// Machines whose GPUs have nothing but PCIe: switches below two CPU sockets, and one NIC a socket
// where there are several machines.
#include <fmt/format.h>

#include <array>

#include "lib/topology/generate/fabric_builder.h"
#include "lib/topology/generate/families.h"

namespace unirack {

namespace {

constexpr std::array<FamilyParameter, 7> kParameters = {{
    {"gpus", "8", "GPUs of a machine"},
    {"boxes", "1", "machines"},
    {"sockets", "2", "CPU sockets of a machine"},
    {"switch", "2", "GPUs below one PCIe switch"},
    {"pcie", "31.507692307", "GB/s of x16 (4.0: 16 GT/s)"},
    {"smp", "41.6", "GB/s between sockets"},
    {"nic", "25", "GB/s of a NIC"},
}};

struct Shape {
  uint32_t gpus = 0, boxes = 0, sockets = 0, per_switch = 0;
  uint64_t pcie = 0, smp = 0, nic = 0;
};

void add_box(FabricBuilder& fabric, const Shape& shape, uint32_t box, NodeIndex leaf) {
  const std::string host = fmt::format("box{}", box);
  const Location place{host, "", ""};
  std::vector<NodeIndex> cpus;
  for (uint32_t i = 0; i < shape.sockets; ++i) {
    cpus.push_back(fabric.add(NodeKind::cpu, fmt::format("{}/cpu{}", host, i), place));
    for (uint32_t j = 0; j < i; ++j) fabric.join(cpus[j], cpus[i], LinkKind::smp, shape.smp);
    if (shape.boxes == 1) continue;
    const NodeIndex nic = fabric.add(NodeKind::nic, fmt::format("{}/nic/mlx5_{}", host, i), place,
                                     static_cast<int>(i));
    fabric.join(cpus[i], nic, LinkKind::pcie, shape.pcie);
    fabric.join(nic, leaf, LinkKind::infiniband, shape.nic);
  }
  const uint32_t switches = (shape.gpus + shape.per_switch - 1) / shape.per_switch;
  NodeIndex above = 0;
  for (uint32_t i = 0; i < shape.gpus; ++i) {
    if (i % shape.per_switch == 0) {
      const uint32_t number = i / shape.per_switch;
      above = fabric.add(NodeKind::pcie, fmt::format("{}/pci/switch{}", host, number), place);
      fabric.join(above, cpus[uint64_t{number} * shape.sockets / switches], LinkKind::pcie,
                  shape.pcie);
    }
    fabric.join(fabric.add_gpu(place, i, ""), above, LinkKind::pcie, shape.pcie);
  }
}

Result<Graph> make(const Parameters& parameters, std::string_view spec) {
  Shape shape;
  shape.gpus = UNIRACK_TRY(parameters.count("gpus", 1, 1024));
  shape.boxes = UNIRACK_TRY(parameters.count("boxes", 1, kGeneratedGpusMax));
  UNIRACK_TRY(check_gpu_count(uint64_t{shape.gpus} * shape.boxes));
  shape.sockets = UNIRACK_TRY(parameters.count("sockets", 1, 16));
  shape.per_switch = UNIRACK_TRY(parameters.count("switch", 1, 1024));
  shape.pcie = UNIRACK_TRY(parameters.bandwidth("pcie"));
  shape.smp = UNIRACK_TRY(parameters.bandwidth("smp"));
  shape.nic = UNIRACK_TRY(parameters.bandwidth("nic"));
  FabricBuilder fabric;
  const NodeIndex leaf = shape.boxes > 1 ? fabric.add(NodeKind::leaf, "leaf0") : 0;
  for (uint32_t box = 0; box < shape.boxes; ++box) add_box(fabric, shape, box, leaf);
  return fabric.build(spec);
}

constexpr std::array kGenerators = {
    Generator{{"pcie-box", "GPUs below PCIe switches, no NVLink", kParameters}, make},
};

}  // namespace

std::span<const Generator> pcie_generators() { return kGenerators; }

}  // namespace unirack
