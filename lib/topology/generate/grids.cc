// GPUs joined to their neighbours on a torus or a hypercube.
#include <fmt/format.h>

#include <array>
#include <bit>

#include "lib/topology/generate/fabric_builder.h"
#include "lib/topology/generate/families.h"

namespace unirack {

namespace {

constexpr std::array<FamilyParameter, 2> kTorusParameters = {{
    {"shape", "4x4", "GPUs in each dimension"},
    {"link", "25", "GB/s of a link"},
}};
constexpr std::array<FamilyParameter, 2> kHypercubeParameters = {{
    {"gpus", "16", "GPUs, a power of two"},
    {"link", "25", "GB/s of a link"},
}};

// A dimension of two has one link, not two.
Result<Graph> make_grid(const std::vector<uint32_t>& shape, const Parameters& parameters,
                        std::string_view spec) {
  uint64_t count = 1;
  for (const uint32_t size : shape) {
    count *= size;
    UNIRACK_TRY(check_gpu_count(count));
  }
  const uint64_t rate = UNIRACK_TRY(parameters.bandwidth("link"));
  FabricBuilder fabric;
  std::vector<NodeIndex> gpus;
  for (uint32_t i = 0; i < count; ++i)
    gpus.push_back(fabric.add(NodeKind::gpu, fmt::format("gpu{}", i)));
  uint32_t stride = 1;
  for (auto size = shape.rbegin(); size != shape.rend(); ++size) {
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t at = i / stride % *size;
      if (*size == 1 || (*size == 2 && at == 1)) continue;
      const uint32_t next = at + 1 == *size ? i - at * stride : i + stride;
      fabric.join(gpus[i], gpus[next], LinkKind::nvlink, rate);
    }
    stride *= *size;
  }
  return fabric.build(spec);
}

Result<Graph> make_torus(const Parameters& parameters, std::string_view spec) {
  const auto shape = UNIRACK_TRY(parameters.counts("shape", 'x', 1, kGeneratedGpusMax));
  return make_grid(shape, parameters, spec);
}

Result<Graph> make_hypercube(const Parameters& parameters, std::string_view spec) {
  const uint32_t gpus = UNIRACK_TRY(parameters.count("gpus", 1, 1u << 17));
  if (!std::has_single_bit(gpus)) {
    return make_error(Code::invalid_argument,
                      fmt::format("a hypercube has a power of two of GPUs, not {}", gpus));
  }
  const auto dimensions = static_cast<size_t>(std::countr_zero(gpus));
  return make_grid(std::vector<uint32_t>(dimensions, 2), parameters, spec);
}

constexpr std::array kGenerators = {
    Generator{{"torus", "GPUs joined to their neighbours in each dimension", kTorusParameters},
              make_torus},
    Generator{{"hypercube", "GPUs joined to those that differ in one bit", kHypercubeParameters},
              make_hypercube},
};

}  // namespace

std::span<const Generator> grid_generators() { return kGenerators; }

}  // namespace unirack
