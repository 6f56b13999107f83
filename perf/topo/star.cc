#include "perf/topo/star.h"

#include <fmt/format.h>

#include <utility>

namespace unirack::topo {

Result<Graph> star_of(int gpus) {
  constexpr uint64_t kBandwidth = 25'000'000'000;
  constexpr uint32_t kLinks = 18;
  GraphBuilder builder;
  Node hub;
  hub.kind = NodeKind::nvswitch;
  hub.name = "nvswitch";
  hub.domain = "star";
  hub.provenance = Provenance::assumed;
  const NodeIndex centre = UNIRACK_TRY(builder.add(hub));
  for (int i = 0; i < gpus; ++i) {
    Node gpu;
    gpu.kind = NodeKind::gpu;
    gpu.name = fmt::format("gpu{}", i);
    gpu.domain = "star";
    gpu.provenance = Provenance::assumed;
    const NodeIndex index = UNIRACK_TRY(builder.add(gpu));
    Link link;
    link.from = index;
    link.to = centre;
    link.kind = LinkKind::nvlink;
    link.bandwidth = kBandwidth;
    link.count = kLinks;
    link.provenance = Provenance::assumed;
    builder.join(link);
  }
  return std::move(builder).build(
      fmt::format("{} GPU{} on an NVSwitch", gpus, gpus == 1 ? "" : "s"));
}

}  // namespace unirack::topo
