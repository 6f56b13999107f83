#include "tests/support/graphs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace unirack::testing {

NodeIndex add(GraphBuilder& builder, NodeKind kind, const std::string& name,
              const std::string& host) {
  const auto index = builder.add({.kind = kind, .name = name, .host = host});
  EXPECT_TRUE(index) << index.error().to_string();
  return index ? *index : 0;
}

Graph build(GraphBuilder builder, const std::string& origin) {
  auto graph = std::move(builder).build(origin);
  EXPECT_TRUE(graph) << graph.error().to_string();
  return graph ? std::move(graph).value() : GraphBuilder().build("bad").value();
}

GraphBuilder boxes(const BoxOptions& options) {
  GraphBuilder builder;
  const int leaves = options.rails ? options.gpus : options.boxes;
  std::vector<NodeIndex> leaf_nodes;
  for (int i = 0; i < leaves; ++i) {
    leaf_nodes.push_back(add(builder, NodeKind::leaf, "leaf" + std::to_string(i)));
    if (options.rails && options.say_rails) builder.node(leaf_nodes.back()).rail = i;
  }
  const NodeIndex spine = add(builder, NodeKind::spine, "spine0");
  for (const NodeIndex leaf : leaf_nodes) {
    builder.join({.from = leaf,
                  .to = spine,
                  .kind = LinkKind::infiniband,
                  .bandwidth = 50'000'000'000,
                  .count = 4});
  }
  for (int box = 0; box < options.boxes; ++box) {
    const std::string host = "h" + std::to_string(box);
    const NodeIndex nvswitch = add(builder, NodeKind::nvswitch, host + "/nvswitch", host);
    const NodeIndex cpu = add(builder, NodeKind::cpu, host + "/cpu0", host);
    for (int i = 0; i < options.gpus; ++i) {
      const std::string number = std::to_string(i);
      const NodeIndex gpu = add(builder, NodeKind::gpu, host + "/gpu" + number, host);
      const NodeIndex nic = add(builder, NodeKind::nic, host + "/nic/mlx5_" + number, host);
      if (options.say_rails) builder.node(nic).rail = i;
      builder.join({.from = gpu,
                    .to = nvswitch,
                    .kind = LinkKind::nvlink,
                    .bandwidth = 25'000'000'000,
                    .count = 18,
                    .provenance = Provenance::nvml});
      builder.join({.from = gpu, .to = cpu, .bandwidth = 63'015'384'615});
      builder.join({.from = nic, .to = cpu, .bandwidth = 63'015'384'615});
      builder.join({.from = nic,
                    .to = leaf_nodes[static_cast<size_t>(options.rails ? i : box)],
                    .kind = LinkKind::infiniband,
                    .bandwidth = 50'000'000'000});
    }
  }
  return builder;
}

Graph random_graph(std::mt19937& random, int nodes, int links) {
  const auto below = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  GraphBuilder builder;
  while (static_cast<int>(builder.node_count()) < nodes) {
    const std::string name = "n" + std::to_string(below(static_cast<unsigned>(2 * nodes)));
    if (builder.find(name)) continue;
    Node& node = builder.node(add(builder, static_cast<NodeKind>(below(kNodeKindCount)), name));
    if (below(2) != 0) node.host = "h" + std::to_string(below(3));
    if (below(2) != 0) node.rack = "r" + std::to_string(below(2));
    if (below(3) == 0) node.domain = "d" + std::to_string(below(2));
    if (below(3) == 0) node.rail = static_cast<int32_t>(below(3));
    if (below(4) == 0) node.rank = static_cast<int32_t>(below(9));
    node.health = static_cast<Health>(below(kHealthCount));
    node.provenance = static_cast<Provenance>(below(kProvenanceCount));
    node.reduces = below(4) == 0;
    for (const char* key : {"guid", "model", "pci"}) {
      if (below(3) == 0) node.set_attribute(key, std::to_string(below(3)));
    }
  }
  for (int i = 0; i < links && nodes > 1; ++i) {
    Link link;
    link.from = below(static_cast<unsigned>(nodes));
    link.to =
        (link.from + 1 + below(static_cast<unsigned>(nodes - 1))) % static_cast<unsigned>(nodes);
    link.kind = static_cast<LinkKind>(below(kLinkKindCount));
    link.bandwidth = below(3) * uint64_t{25'000'000'000};
    link.capable = below(2) * uint64_t{50'000'000'000};
    link.latency_ns = below(2) * 500;
    link.count = 1 + below(3);
    link.health = static_cast<Health>(below(kHealthCount));
    link.provenance = static_cast<Provenance>(below(kProvenanceCount));
    builder.connect(link);
  }
  return build(std::move(builder), "random");
}

Graph shuffled(const Graph& graph, std::mt19937& random, bool rename) {
  std::vector<NodeIndex> order(graph.nodes().size());
  std::iota(order.begin(), order.end(), NodeIndex{0});
  std::shuffle(order.begin(), order.end(), random);
  std::vector<NodeIndex> place(order.size());
  GraphBuilder builder;
  for (const NodeIndex old : order) {
    Node node = graph.node(old);
    if (rename) node.name = "x" + std::to_string(random()) + "/" + std::to_string(old);
    const auto added = builder.add(std::move(node));
    EXPECT_TRUE(added);
    place[old] = *added;
  }
  std::vector<Link> links = graph.links();
  std::shuffle(links.begin(), links.end(), random);
  for (Link link : links) {
    link.from = place[link.from];
    link.to = place[link.to];
    builder.connect(link);
  }
  return build(std::move(builder), graph.origin());
}

}  // namespace unirack::testing
