#include "lib/topology/symmetry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "lib/base/clock.h"
#include "tests/support/graphs.h"

namespace unirack {
namespace {

using testing::add;
using testing::boxes;
using testing::build;
using testing::random_graph;
using testing::shuffled;

// Colour refinement by its definition: rounds over all nodes until no class falls apart.
std::vector<uint32_t> refine_naively(const Graph& graph) {
  using Signature = std::vector<uint64_t>;
  std::vector<uint32_t> colours(graph.nodes().size());
  size_t count = 0;
  for (;;) {
    std::map<Signature, uint32_t> classes;
    std::vector<Signature> signatures;
    for (NodeIndex i = 0; i < colours.size(); ++i) {
      const Node& node = graph.node(i);
      std::map<Signature, uint64_t> arcs;
      const auto count_arc = [&](const Link& link, uint64_t direction, NodeIndex other) {
        arcs[{direction, static_cast<uint64_t>(link.kind), link.bandwidth, link.latency_ns,
              static_cast<uint64_t>(link.health), colours[other]}] += link.count;
      };
      for (const LinkIndex link : graph.links_from(i)) {
        count_arc(graph.link(link), 0, graph.link(link).to);
      }
      for (const LinkIndex link : graph.links_to(i)) {
        count_arc(graph.link(link), 1, graph.link(link).from);
      }
      Signature& all = signatures.emplace_back(
          Signature{colours[i], static_cast<uint64_t>(node.kind),
                    static_cast<uint64_t>(node.health), uint64_t{node.reduces}});
      for (const auto& [arc, arc_count] : arcs) {
        all.insert(all.end(), arc.begin(), arc.end());
        all.push_back(arc_count);
      }
      classes.try_emplace(all, 0);
    }
    uint32_t next = 0;
    for (auto& [signature, colour] : classes) colour = next++;
    for (NodeIndex i = 0; i < colours.size(); ++i) colours[i] = classes[signatures[i]];
    if (classes.size() == count) return colours;
    count = classes.size();
  }
}

// Whether two numberings part the nodes alike.
bool same_partition(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  std::map<uint32_t, uint32_t> to_b;
  std::map<uint32_t, uint32_t> to_a;
  for (size_t i = 0; i < a.size(); ++i) {
    if (to_b.try_emplace(a[i], b[i]).first->second != b[i]) return false;
    if (to_a.try_emplace(b[i], a[i]).first->second != a[i]) return false;
  }
  return true;
}

GraphBuilder chain(int count, bool closed) {
  GraphBuilder builder;
  for (int i = 0; i < count; ++i) add(builder, NodeKind::gpu, std::to_string(i));
  for (int i = 0; i + (closed ? 0 : 1) < count; ++i) {
    builder.join({.from = static_cast<NodeIndex>(i),
                  .to = static_cast<NodeIndex>((i + 1) % count),
                  .kind = LinkKind::nvlink,
                  .bandwidth = 1});
  }
  return builder;
}

TEST(SymmetryTest, HealthyBoxesHaveAClassAKind) {
  const Graph graph = build(boxes({.boxes = 4, .gpus = 8}));
  const Symmetry symmetry = symmetry_of(graph);
  EXPECT_EQ(symmetry.class_count, 6u) << "gpu, cpu, nvswitch, nic, leaf, spine";
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    for (NodeIndex j = 0; j < i; ++j) {
      EXPECT_EQ(symmetry.class_of[i] == symmetry.class_of[j],
                graph.node(i).kind == graph.node(j).kind);
    }
  }
}

TEST(SymmetryTest, OneFaultIsSeenFromEverywhere) {
  GraphBuilder builder = boxes({.boxes = 4, .gpus = 8});
  builder.node(*builder.find("h1/nic/mlx5_2")).health = Health::down;
  const Graph graph = build(std::move(builder));
  const Symmetry symmetry = symmetry_of(graph);
  const auto class_of = [&](const char* name) { return symmetry.class_of[*graph.find(name)]; };
  EXPECT_NE(class_of("h1/nic/mlx5_2"), class_of("h1/nic/mlx5_3"));
  EXPECT_NE(class_of("leaf2"), class_of("leaf3"));
  EXPECT_EQ(class_of("leaf1"), class_of("leaf3"));
  EXPECT_NE(class_of("h1/gpu0"), class_of("h0/gpu0"));
  EXPECT_EQ(class_of("h1/gpu2"), class_of("h1/gpu3")) << "both only see the CPU";
  EXPECT_EQ(class_of("h3/gpu0"), class_of("h0/gpu0"));
  EXPECT_NE(class_of("h0/nic/mlx5_2"), class_of("h0/nic/mlx5_3"));
}

TEST(SymmetryTest, EveryPropertyOfALinkParts) {
  for (void (*change)(Link&) :
       {+[](Link& l) { l.kind = LinkKind::xgmi; }, +[](Link& l) { l.bandwidth = 2; },
        +[](Link& l) { l.latency_ns = 2; }, +[](Link& l) { l.count = 2; },
        +[](Link& l) { l.health = Health::degraded; }}) {
    GraphBuilder builder = chain(8, true);
    change(builder.links()[0]);
    EXPECT_EQ(symmetry_of(build(std::move(builder))).class_count, 8u)
        << "one direction of a link makes both of its ends, and so all nodes, different";
  }
  for (void (*change)(Link&) :
       {+[](Link& l) { l.capable = 2; }, +[](Link& l) { l.provenance = Provenance::nvml; }}) {
    GraphBuilder builder = chain(8, true);
    change(builder.links()[0]);
    EXPECT_EQ(symmetry_of(build(std::move(builder))).class_count, 1u);
  }
}

TEST(SymmetryTest, RingsAndChains) {
  EXPECT_EQ(symmetry_of(build(chain(6, true))).class_count, 1u);
  const Symmetry line = symmetry_of(build(chain(7, false)));
  EXPECT_EQ(line.class_count, 4u);
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(line.class_of[i], line.class_of[6 - i]);
  EXPECT_EQ(symmetry_of(build(GraphBuilder())).class_count, 0u);
}

TEST(SymmetryTest, AgreesWithTheDefinition) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const int nodes = 1 + static_cast<int>(random() % 24);
    GraphBuilder builder;
    for (int i = 0; i < nodes; ++i) {
      add(builder, random() % 3 == 0 ? NodeKind::leaf : NodeKind::gpu, std::to_string(i));
    }
    // Few labels, so that classes stay large.
    for (unsigned i = 0; nodes > 1 && i < random() % 60; ++i) {
      Link link;
      link.from = static_cast<NodeIndex>(random() % static_cast<unsigned>(nodes));
      link.to =
          (link.from + 1 + static_cast<NodeIndex>(random() % static_cast<unsigned>(nodes - 1))) %
          static_cast<NodeIndex>(nodes);
      link.count = 1 + static_cast<uint32_t>(random() % 2);
      link.bandwidth = random() % 4 == 0 ? 2 : 1;
      builder.join(link);
    }
    const Graph graph = build(std::move(builder));
    const Symmetry symmetry = symmetry_of(graph);
    EXPECT_TRUE(same_partition(symmetry.class_of, refine_naively(graph))) << "round " << round;
    EXPECT_EQ(symmetry.class_count,
              *std::max_element(symmetry.class_of.begin(), symmetry.class_of.end()) + 1);
  }
}

TEST(SymmetryTest, NamesAndOrderDoNotMatter) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const Graph graph = round % 2 == 0
                            ? random_graph(random, 20, 40)
                            : build(boxes({.boxes = 1 + round % 5, .gpus = 1 + round % 7}));
    const Graph other = shuffled(graph, random, true);
    const Symmetry here = symmetry_of(graph);
    const Symmetry there = symmetry_of(other);
    EXPECT_EQ(here.hash, there.hash) << "round " << round;
    for (NodeIndex i = 0; i < other.nodes().size(); ++i) {
      const std::string& name = other.node(i).name;
      const auto old = std::stoul(name.substr(name.find('/') + 1));
      EXPECT_EQ(there.class_of[i], here.class_of[old]);
    }
  }
}

TEST(SymmetryTest, HashTellsGraphsApart) {
  std::map<uint64_t, int> seen;
  for (int size = 1; size < 40; ++size) {
    ++seen[symmetry_of(build(boxes({.boxes = size, .gpus = 4}))).hash];
    ++seen[symmetry_of(build(boxes({.boxes = size, .gpus = 4, .rails = false}))).hash];
    ++seen[symmetry_of(build(chain(size + 2, true))).hash];
    ++seen[symmetry_of(build(chain(size + 2, false))).hash];
  }
  // Of four boxes of four, leaves by rail and leaves by box look the same to every node.
  EXPECT_EQ(seen.size(), size_t{4 * 39 - 1});
}

double milliseconds_of(const Graph& graph, uint32_t* classes) {
  const TimePoint begin = now();
  *classes = symmetry_of(graph).class_count;
  return std::chrono::duration<double, std::milli>(now() - begin).count();
}

// Prints what it takes; a pool of boxes is the common case, a long chain the worst.
TEST(SymmetryTest, AHundredThousandNodes) {
  uint32_t classes = 0;
  const Graph pool = build(boxes({.boxes = 5500, .gpus = 8}));
  double ms = milliseconds_of(pool, &classes);
  std::printf("%zu nodes, %zu links, %u classes: %.0f ms\n", pool.nodes().size(),
              pool.links().size(), classes, ms);
  EXPECT_EQ(classes, 6u);
  GraphBuilder faulty = boxes({.boxes = 5500, .gpus = 8});
  for (int i = 0; i < 5500; i += 7) {
    faulty.node(*faulty.find("h" + std::to_string(i) + "/nic/mlx5_" + std::to_string(i % 8)))
        .health = Health::down;
  }
  const Graph ill = build(std::move(faulty));
  ms = milliseconds_of(ill, &classes);
  std::printf("%zu nodes, %zu links, %u classes: %.0f ms\n", ill.nodes().size(), ill.links().size(),
              classes, ms);
  const Graph line = build(chain(100'000, false));
  ms = milliseconds_of(line, &classes);
  std::printf("%zu nodes, %zu links, %u classes: %.0f ms\n", line.nodes().size(),
              line.links().size(), classes, ms);
  EXPECT_EQ(classes, 50'000u);
}

}  // namespace
}  // namespace unirack
