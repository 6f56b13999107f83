#include "lib/topology/diff.h"

#include <gmock/gmock.h>

#include "tests/support/graphs.h"

namespace unirack {
namespace {

using testing::add;
using testing::boxes;
using testing::build;
using testing::random_graph;
using testing::shuffled;
using ::testing::SizeIs;

Graph healthy() { return build(boxes({.boxes = 2, .gpus = 2})); }

// Changes every link between the two, both ways.
void change_links(GraphBuilder& builder, const char* a, const char* b, void (*change)(Link&)) {
  const NodeIndex from = *builder.find(a);
  const NodeIndex to = *builder.find(b);
  for (Link& link : builder.links()) {
    if ((link.from == from && link.to == to) || (link.from == to && link.to == from)) change(link);
  }
}

std::string change_of(void (*change)(GraphBuilder&)) {
  GraphBuilder builder(healthy());
  change(builder);
  return to_text(diff(healthy(), build(std::move(builder))));
}

TEST(GraphDiffTest, EqualGraphsDoNotDiffer) {
  std::mt19937 random(2);
  EXPECT_TRUE(diff(healthy(), shuffled(healthy(), random)).empty());
  EXPECT_EQ(to_text(diff(healthy(), healthy())), "nothing changed\n");
  EXPECT_EQ(change_of([](GraphBuilder& b) {
              b.node(0).provenance = Provenance::measured;
              b.links()[0].provenance = Provenance::measured;
            }),
            "nothing changed\n");
}

TEST(GraphDiffTest, NodesComeGoAndChange) {
  EXPECT_EQ(change_of([](GraphBuilder& b) { add(b, NodeKind::leaf, "leaf9"); }), "+ leaf leaf9\n");
  EXPECT_EQ(change_of([](GraphBuilder& b) {
              Node& nic = b.node(*b.find("h0/nic/mlx5_1"));
              nic.health = Health::down;
              nic.rack = "r1";
              nic.set_attribute("guid", "7");
            }),
            "~ nic h0/nic/mlx5_1: rack '' -> 'r1', health ok -> down, guid none -> '7'\n");

  GraphBuilder more(healthy());
  const NodeIndex gpu = add(more, NodeKind::gpu, "h1/gpu2", "h1");
  more.join({.from = gpu, .to = *more.find("h1/nvswitch"), .kind = LinkKind::nvlink});
  const GraphDiff gone = diff(build(std::move(more)), healthy());
  EXPECT_EQ(to_text(gone), "- gpu h1/gpu2\n") << "its links went with it";
  EXPECT_EQ(gone.nodes[0].what, NodeChange::What::gone);
}

TEST(GraphDiffTest, LinksComeGoAndChange) {
  EXPECT_EQ(change_of([](GraphBuilder& b) {
              change_links(b, "leaf1", "spine0", [](Link& link) { link.count = 3; });
            }),
            "~ infiniband leaf1 <-> spine0: fewer, 4 of together 200 GB/s -> 3 of together 150 "
            "GB/s\n");
  EXPECT_EQ(change_of([](GraphBuilder& b) {
              change_links(b, "h0/gpu0", "h0/cpu0", [](Link& link) { link.bandwidth /= 2; });
            }),
            "~ pcie h0/cpu0 <-> h0/gpu0: slower, 1 of together 63.015 GB/s -> 1 of together "
            "31.508 GB/s\n");
  EXPECT_EQ(change_of([](GraphBuilder& b) {
              b.connect({.from = *b.find("leaf0"),
                         .to = *b.find("leaf1"),
                         .kind = LinkKind::ethernet,
                         .bandwidth = 12'500'000'000});
            }),
            "+ ethernet leaf0 -> leaf1: 1 of together 12.5 GB/s\n");
  EXPECT_EQ(change_of([](GraphBuilder& b) {
              change_links(b, "leaf0", "spine0", [](Link& link) { link.latency_ns = 700; });
            }),
            "~ infiniband leaf0 <-> spine0: otherwise degraded, capable or delayed\n");
  EXPECT_EQ(change_of([](GraphBuilder& b) {
              change_links(b, "leaf0", "spine0", [](Link& link) { link.bandwidth = 0; });
            }),
            "~ infiniband leaf0 <-> spine0: 4 of together 200 GB/s -> 4\n");
}

// One of four cables fails: the rest is fewer, not another kind of link.
TEST(GraphDiffTest, LinksThatFailAreFewer) {
  GraphBuilder builder(healthy());
  change_links(builder, "leaf0", "spine0", [](Link& link) { link.count = 3; });
  Link failed{.from = *builder.find("leaf0"),
              .to = *builder.find("spine0"),
              .kind = LinkKind::infiniband,
              .bandwidth = 50'000'000'000,
              .health = Health::down};
  builder.join(failed);
  const GraphDiff found = diff(healthy(), build(std::move(builder)));
  ASSERT_THAT(found.links, SizeIs(2));
  EXPECT_EQ(found.links[0].what, LinkChange::What::fewer);
  EXPECT_EQ(found.links[0].before.count, 4u);
  EXPECT_EQ(found.links[0].after.count, 3u);
  EXPECT_EQ(found.links[0].after.down, 1u);
  EXPECT_EQ(found.links[0].after.bandwidth, 150'000'000'000u);
  EXPECT_EQ(to_text(found),
            "~ infiniband leaf0 <-> spine0: fewer, 4 of together 200 GB/s -> 3 of together 150 "
            "GB/s, 1 down\n");
}

TEST(GraphDiffTest, DirectionsThatDifferStandApart) {
  GraphBuilder builder(healthy());
  const NodeIndex leaf = *builder.find("leaf0");
  for (Link& link : builder.links()) {
    if (link.from == leaf && link.kind == LinkKind::infiniband && link.count == 4) link.count = 2;
  }
  EXPECT_EQ(to_text(diff(healthy(), build(std::move(builder)))),
            "~ infiniband leaf0 -> spine0: fewer, 4 of together 200 GB/s -> 2 of together 100 "
            "GB/s\n");
}

TEST(GraphDiffTest, IsReversedByReversal) {
  std::mt19937 random(9);
  for (int round = 0; round < 100; ++round) {
    const Graph a = random_graph(random, 12, 30);
    const Graph b = random_graph(random, 12, 30);
    const GraphDiff there = diff(a, b);
    const GraphDiff back = diff(b, a);
    ASSERT_EQ(there.nodes.size(), back.nodes.size());
    ASSERT_EQ(there.links.size(), back.links.size());
    for (size_t i = 0; i < there.links.size(); ++i) {
      using What = LinkChange::What;
      constexpr What kReverse[] = {What::added,  What::gone,   What::more, What::fewer,
                                   What::faster, What::slower, What::other};
      EXPECT_EQ(back.links[i].what, kReverse[static_cast<size_t>(there.links[i].what)]);
      EXPECT_EQ(back.links[i].from, there.links[i].from);
    }
    EXPECT_EQ(there.empty(), a.hash() == b.hash());
  }
}

}  // namespace
}  // namespace unirack
