// Eight V100 on the hybrid cube mesh of the DGX-1: two quads, four links between them.
#include <fmt/format.h>

#include <array>

#include "lib/topology/generate/fabric_builder.h"
#include "lib/topology/generate/families.h"

namespace unirack {

namespace {

constexpr uint32_t kGpus = 8;

// Links between two GPUs.
struct Bundle {
  uint8_t a, b, count;
};
// As nvidia-smi prints it for a DGX-1 with V100: six NVLinks a GPU.
constexpr std::array<Bundle, 16> kCubeMesh = {{{0, 1, 1},
                                               {0, 2, 1},
                                               {0, 3, 2},
                                               {0, 4, 2},
                                               {1, 2, 2},
                                               {1, 3, 1},
                                               {1, 5, 2},
                                               {2, 3, 2},
                                               {2, 6, 1},
                                               {3, 7, 1},
                                               {4, 5, 1},
                                               {4, 6, 1},
                                               {4, 7, 2},
                                               {5, 6, 2},
                                               {5, 7, 1},
                                               {6, 7, 2}}};

constexpr std::array<FamilyParameter, 3> kParameters = {{
    {"chassis", "1", "machines"},
    {"nvlink", "25", "GB/s of one NVLink"},
    {"nic", "12.5", "GB/s of the machine's one NIC"},
}};

Result<Graph> make(const Parameters& parameters, std::string_view spec) {
  const uint32_t chassis = UNIRACK_TRY(parameters.count("chassis", 1, kGeneratedGpusMax / kGpus));
  const uint64_t nvlink = UNIRACK_TRY(parameters.bandwidth("nvlink"));
  const uint64_t nic_rate = UNIRACK_TRY(parameters.bandwidth("nic"));
  FabricBuilder fabric;
  const NodeIndex leaf = chassis > 1 ? fabric.add(NodeKind::leaf, "leaf0", {}, 0) : 0;
  for (uint32_t box = 0; box < chassis; ++box) {
    const std::string host = fmt::format("box{}", box);
    const Location place{host, "", host};
    std::array<NodeIndex, kGpus> gpus;
    for (uint32_t i = 0; i < kGpus; ++i) gpus[i] = fabric.add_gpu(place, i, "V100");
    for (const Bundle& bundle : kCubeMesh) {
      fabric.join(gpus[bundle.a], gpus[bundle.b], LinkKind::nvlink, nvlink, bundle.count);
    }
    if (chassis > 1) {
      fabric.join(fabric.add_nic(place, 0, 0, gpus[0]), leaf, LinkKind::infiniband, nic_rate);
    }
  }
  return fabric.build(spec);
}

constexpr std::array kGenerators = {
    Generator{
        {"dgx1v", "8 V100 on a hybrid cube mesh, one NIC where there are several", kParameters},
        make},
    Generator{{"ndv2", "Azure ND40rs v2: 8 V100 on a hybrid cube mesh, one 100G NIC", kParameters},
              make},
};

}  // namespace

std::span<const Generator> cube_mesh_generators() { return kGenerators; }

}  // namespace unirack
