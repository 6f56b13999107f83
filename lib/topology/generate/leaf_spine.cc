// Racks of machines on leaves and spines, of any size: what large clusters of 8-GPU machines look
// like. A box of one GPU has no NVLink.
#include <fmt/format.h>

#include <array>

#include "lib/topology/generate/fabric_builder.h"
#include "lib/topology/generate/families.h"

namespace unirack {

namespace {

constexpr std::array<FamilyParameter, 8> kParameters = {{
    {"gpus", "1024", "GPUs together; the last machine may have fewer"},
    {"box", "8", "GPUs of a machine"},
    {"boxes", "32", "machines of a rack"},
    {"leaves", "8", "leaves of a rack; NIC i of a machine is on leaf i mod leaves"},
    {"spines", "32", "spine switches"},
    {"oversubscription", "1", "GB/s below a leaf for each GB/s above"},
    {"nvlink", "450", "GB/s of a GPU's NVLinks together"},
    {"nic", "50", "GB/s of a GPU's NIC"},
}};

struct Shape {
  uint32_t gpus = 0, box = 0, boxes = 0, leaves = 0;
  uint64_t nvlink = 0, nic = 0;
};

void add_box(FabricBuilder& fabric, const Shape& shape, uint32_t index, uint32_t gpu_count,
             std::vector<Leaf>& rack_leaves) {
  const std::string host = fmt::format("box{}", index);
  const Location place{host, fmt::format("rack{}", index / shape.boxes), host};
  const NodeIndex nvswitch =
      shape.box > 1 ? fabric.add(NodeKind::nvswitch, host + "/nvswitch", place) : 0;
  for (uint32_t i = 0; i < gpu_count; ++i) {
    const NodeIndex gpu = fabric.add_gpu(place, i, "");
    if (shape.box > 1) fabric.join(gpu, nvswitch, LinkKind::nvlink, shape.nvlink);
    Leaf& leaf = rack_leaves[i % shape.leaves];
    const NodeIndex nic = fabric.add_nic(place, i, static_cast<int>(i % shape.leaves), gpu);
    fabric.join(nic, leaf.node, LinkKind::infiniband, shape.nic);
    ++leaf.port_count;
  }
}

std::vector<Leaf> add_leaves(FabricBuilder& fabric, const Shape& shape, uint32_t rack_index) {
  std::vector<Leaf> leaves;
  const std::string rack = fmt::format("rack{}", rack_index);
  for (uint32_t i = 0; i < shape.leaves; ++i) {
    leaves.push_back({fabric.add(NodeKind::leaf, fmt::format("leaf-{}-rail{}", rack, i),
                                 {"", rack, ""}, static_cast<int>(i)),
                      0});
  }
  return leaves;
}

Result<Graph> make(const Parameters& parameters, std::string_view spec) {
  Shape shape;
  shape.gpus = UNIRACK_TRY(parameters.count("gpus", 1, kGeneratedGpusMax));
  shape.box = UNIRACK_TRY(parameters.count("box", 1, 1024));
  shape.boxes = UNIRACK_TRY(parameters.count("boxes", 1, 4096));
  shape.leaves = UNIRACK_TRY(parameters.count("leaves", 1, 1024));
  shape.leaves = std::min(shape.leaves, shape.box);
  shape.nvlink = UNIRACK_TRY(parameters.bandwidth("nvlink"));
  shape.nic = UNIRACK_TRY(parameters.bandwidth("nic"));
  const uint32_t spines = UNIRACK_TRY(parameters.count("spines", 1, 4096));
  const uint32_t over = UNIRACK_TRY(parameters.thousandths("oversubscription", 1, 1'000'000));
  FabricBuilder fabric;
  std::vector<Leaf> leaves;
  std::vector<Leaf> rack_leaves;
  const auto finish_rack = [&] {
    leaves.insert(leaves.end(), rack_leaves.begin(), rack_leaves.end());
  };
  for (uint32_t done = 0, index = 0; done < shape.gpus; ++index) {
    if (index % shape.boxes == 0) {
      finish_rack();
      rack_leaves = add_leaves(fabric, shape, index / shape.boxes);
    }
    const uint32_t here = std::min(shape.box, shape.gpus - done);
    add_box(fabric, shape, index, here, rack_leaves);
    done += here;
  }
  finish_rack();
  add_spines(fabric, leaves, spines, over, shape.nic);
  return fabric.build(spec);
}

constexpr std::array kGenerators = {
    Generator{{"leaf-spine", "racks of machines on leaves and spines, of any size", kParameters},
              make},
};

}  // namespace

std::span<const Generator> leaf_spine_generators() { return kGenerators; }

}  // namespace unirack
