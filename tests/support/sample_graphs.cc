#include "tests/support/sample_graphs.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace unirack::testing {

namespace {

constexpr uint64_t kGb = 1'000'000'000;

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().to_string().c_str());
    std::abort();
  }
  return std::move(result).value();
}

NodeIndex add(GraphBuilder& builder, NodeKind kind, const std::string& name,
              const std::string& host, int32_t rail = -1, const std::string& rack = {}) {
  Node node;
  node.kind = kind;
  node.name = name;
  node.host = host;
  node.rail = rail;
  node.rack = rack;
  return must(builder.add(std::move(node)));
}

void join(GraphBuilder& builder, NodeIndex a, NodeIndex b, LinkKind kind, uint64_t bandwidth,
          uint32_t count = 1, uint64_t capable = 0) {
  Link link;
  link.from = a;
  link.to = b;
  link.kind = kind;
  link.bandwidth = bandwidth;
  link.capable = capable;
  link.count = count;
  builder.join(link);
}

std::string numbered(const std::string& name, int index) { return name + std::to_string(index); }

}  // namespace

Graph sample_machine() {
  GraphBuilder builder;
  const NodeIndex nvswitch = add(builder, NodeKind::nvswitch, "box/nvswitch", "box");
  NodeIndex cpus[2];
  for (int i = 0; i < 2; ++i) {
    cpus[i] = add(builder, NodeKind::cpu, numbered("box/cpu", i), "box");
    const NodeIndex bridge =
        add(builder, NodeKind::pcie, "box/pci/0000:" + std::to_string(i) + "8:00.0", "box");
    join(builder, cpus[i], bridge, LinkKind::pcie, 32 * kGb);
    for (int g = 0; g < 2; ++g) {
      const NodeIndex gpu = add(builder, NodeKind::gpu, numbered("box/gpu", 2 * i + g), "box");
      builder.node(gpu).set_attribute("model", "Sample 80GB");
      join(builder, bridge, gpu, LinkKind::pcie, 32 * kGb);
      join(builder, gpu, nvswitch, LinkKind::nvlink, 25 * kGb, 6);
    }
    const NodeIndex nic = add(builder, NodeKind::nic, numbered("box/nic/mlx5_", i), "box", i);
    join(builder, bridge, nic, LinkKind::pcie, (i == 0 ? 32 : 16) * kGb, 1, 32 * kGb);
  }
  join(builder, cpus[0], cpus[1], LinkKind::smp, 20 * kGb);
  return must(std::move(builder).build("a machine"));
}

Graph sample_pool(int racks, bool has_faults) {
  GraphBuilder builder;
  NodeIndex spines[2];
  for (int s = 0; s < 2; ++s) spines[s] = add(builder, NodeKind::spine, numbered("spine", s), "");
  for (int r = 0; r < racks; ++r) {
    const std::string rack = std::to_string(r);
    const NodeIndex nvswitch =
        add(builder, NodeKind::nvswitch, "rack" + rack + "/nvswitch", "", -1, rack);
    NodeIndex leaves[2];
    for (int rail = 0; rail < 2; ++rail) {
      leaves[rail] =
          add(builder, NodeKind::leaf, "leaf-" + rack + "-" + std::to_string(rail), "", rail, rack);
      for (int s = 0; s < 2; ++s) {
        join(builder, leaves[rail], spines[s], LinkKind::infiniband, 50 * kGb, 2);
        const bool is_down = has_faults && r == racks - 1 && rail == 0 && s == 1;
        if (is_down) {
          for (size_t end = builder.links().size() - 2; end < builder.links().size(); ++end) {
            builder.links()[end].health = Health::down;
          }
        }
      }
    }
    for (int t = 0; t < 2; ++t) {
      const std::string host = "r" + rack + "-tray" + std::to_string(t);
      for (int g = 0; g < 2; ++g) {
        const NodeIndex gpu =
            add(builder, NodeKind::gpu, host + "/gpu" + std::to_string(g), host, -1, rack);
        builder.node(gpu).domain = "rack" + rack;
        if (has_faults && r == 0 && t == 1 && g == 1) builder.node(gpu).health = Health::down;
        join(builder, gpu, nvswitch, LinkKind::nvlink, 50 * kGb, 18);
        if (has_faults && r == racks - 1 && t == 0 && g == 1) continue;
        const NodeIndex nic =
            add(builder, NodeKind::nic, host + "/nic/mlx5_" + std::to_string(g), host, g, rack);
        join(builder, gpu, nic, LinkKind::pcie, 0);
        join(builder, nic, leaves[g], LinkKind::infiniband, 50 * kGb);
      }
    }
  }
  return must(std::move(builder).build("a pool"));
}

}  // namespace unirack::testing
