#include "lib/topology/generate/fabric_builder.h"

#include <fmt/format.h>

namespace unirack {

NodeIndex FabricBuilder::add(NodeKind kind, const std::string& name, const Location& place,
                             int rail) {
  Node node;
  node.kind = kind;
  node.name = name;
  node.host = place.host;
  node.rack = place.rack;
  node.domain = place.domain;
  node.rail = rail;
  node.provenance = Provenance::configured;
  const auto added = builder_.add(std::move(node));
  if (!added && !error_) error_ = added.error();
  return added ? *added : 0;
}

NodeIndex FabricBuilder::add_gpu(const Location& place, uint32_t index, std::string_view model) {
  const NodeIndex gpu = add(NodeKind::gpu, fmt::format("{}/gpu{}", place.host, index), place);
  if (!error_ && !model.empty()) builder_.node(gpu).set_attribute("model", std::string(model));
  return gpu;
}

NodeIndex FabricBuilder::add_nic(const Location& place, uint32_t index, int rail, NodeIndex gpu) {
  const NodeIndex nic = add(NodeKind::nic, fmt::format("{}/nic/mlx5_{}", place.host, index),
                            {place.host, place.rack, ""}, rail);
  join(gpu, nic, LinkKind::pcie, 0);
  return nic;
}

void FabricBuilder::join(NodeIndex a, NodeIndex b, LinkKind kind, uint64_t bandwidth,
                         uint32_t count) {
  Link link;
  link.from = a;
  link.to = b;
  link.kind = kind;
  link.bandwidth = bandwidth;
  link.capable = bandwidth;
  link.count = count;
  link.provenance = bandwidth == 0 ? Provenance::assumed : Provenance::configured;
  builder_.join(link);
}

Result<Graph> FabricBuilder::build(std::string_view spec) {
  if (error_) return *error_;
  return std::move(builder_).build("generated " + std::string(spec));
}

void add_spines(FabricBuilder& fabric, const std::vector<Leaf>& leaves, uint32_t spine_count,
                uint32_t oversubscription_thousandths, uint64_t bandwidth) {
  std::vector<NodeIndex> spines;
  for (uint32_t i = 0; i < spine_count; ++i) {
    spines.push_back(fabric.add(NodeKind::spine, fmt::format("spine{}", i)));
  }
  for (const Leaf& leaf : leaves) {
    const uint64_t uplinks = (uint64_t{leaf.port_count} * 1000 + oversubscription_thousandths - 1) /
                             oversubscription_thousandths;
    const uint64_t each = uplinks / spine_count;
    const uint64_t rest = uplinks % spine_count;
    for (uint64_t i = 0; i < spine_count; ++i) {
      const uint64_t count = each + (i < rest ? 1 : 0);
      if (count == 0) break;
      fabric.join(leaf.node, spines[i], LinkKind::infiniband, bandwidth,
                  static_cast<uint32_t>(count));
    }
  }
}

}  // namespace unirack
