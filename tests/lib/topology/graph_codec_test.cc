#include "lib/topology/graph_codec.h"

#include <gmock/gmock.h>

#include "tests/support/graphs.h"

namespace unirack {
namespace {

using testing::add;
using testing::boxes;
using testing::build;
using ::testing::HasSubstr;
using testing::random_graph;

void expect_same(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_EQ(a.origin(), b.origin());
  ASSERT_EQ(a.nodes().size(), b.nodes().size());
  for (NodeIndex i = 0; i < a.nodes().size(); ++i) {
    EXPECT_EQ(a.node(i).name, b.node(i).name);
    EXPECT_EQ(a.node(i).provenance, b.node(i).provenance);
    EXPECT_EQ(a.node(i).known_by, b.node(i).known_by);
  }
  ASSERT_EQ(a.links().size(), b.links().size());
  for (LinkIndex i = 0; i < a.links().size(); ++i) {
    EXPECT_EQ(a.link(i).from, b.link(i).from);
    EXPECT_EQ(a.link(i).to, b.link(i).to);
    EXPECT_EQ(a.link(i).provenance, b.link(i).provenance);
  }
}

TEST(GraphCodec, ReadsBackWhatItWrote) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const Graph graph =
        random_graph(random, static_cast<int>(random() % 20), static_cast<int>(random() % 60));
    const auto bytes = encode_graph(graph);
    const auto again = decode_graph(bytes);
    ASSERT_TRUE(again) << again.error().to_string();
    expect_same(graph, *again);
    EXPECT_EQ(encode_graph(*again), bytes);
  }
}

TEST(GraphCodec, KeepsExtremes) {
  GraphBuilder builder;
  Node& node = builder.node(add(builder, NodeKind::network_switch, std::string(512, 'n'), "h"));
  node.rail = INT32_MAX;
  node.rank = 0;
  node.reduces = true;
  node.provenance = Provenance::assumed;
  node.known_by = {{"attributes/long", Provenance::measured}, {"rail", Provenance::nvml}};
  node.set_attribute("long", std::string(4096, 'v'));
  node.set_attribute("zero", std::string("a\0b", 3));
  add(builder, NodeKind::gpu, "g");
  builder.connect({.from = 1,
                   .to = 0,
                   .kind = LinkKind::shared_memory,
                   .bandwidth = kBandwidthMax,
                   .capable = kBandwidthMax,
                   .latency_ns = UINT32_MAX,
                   .health = Health::down,
                   .provenance = Provenance::assumed});
  builder.connect({.from = 0, .to = 1, .count = UINT32_MAX});
  const Graph graph = build(std::move(builder), "somewhere");
  const auto again = decode_graph(encode_graph(graph));
  ASSERT_TRUE(again) << again.error().to_string();
  expect_same(graph, *again);
  EXPECT_EQ(again->node(0).attribute("zero").size(), 3u);
}

TEST(GraphCodec, AMachineIsSmall) {
  const Graph graph = build(boxes({.boxes = 1, .gpus = 8}));
  EXPECT_LT(encode_graph(graph).size(), 700u) << "27 nodes and 80 links";
}

TEST(GraphCodec, EveryTruncationIsRefused) {
  std::mt19937 random(6);
  const auto bytes = encode_graph(random_graph(random, 12, 30));
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_graph(BytesView(bytes).first(length))) << length;
  }
  auto longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_EQ(decode_graph(longer).code(), Code::corrupted);
}

TEST(GraphCodec, AnyByteMayBeWrong) {
  std::mt19937 random(8);
  const auto bytes = encode_graph(random_graph(random, 12, 30));
  for (int round = 0; round < 20'000; ++round) {
    auto bad = bytes;
    for (unsigned i = 0; i < 1 + random() % 3; ++i) {
      bad[random() % bad.size()] = static_cast<std::byte>(random());
    }
    const auto graph = decode_graph(bad);
    if (graph) continue;
    EXPECT_TRUE(graph.code() == Code::corrupted || graph.code() == Code::version_mismatch)
        << graph.error().to_string();
  }
}

std::string refusal_of(std::initializer_list<int> bytes) {
  std::vector<std::byte> raw;
  for (const int byte : bytes) raw.push_back(static_cast<std::byte>(byte));
  const auto graph = decode_graph(raw);
  return graph ? "decoded" : graph.error().detail;
}

TEST(GraphCodec, LiesAreNamed) {
  // version, nodes, links, origin, one empty text, nodes, properties, links
  EXPECT_EQ(refusal_of({1, 0, 0, 0, 0, 1, 0, 0, 0}), "decoded");
  EXPECT_THAT(refusal_of({2}), HasSubstr("version 2, expected 1"));
  EXPECT_THAT(refusal_of({1, 100, 0, 0, 0}), HasSubstr("more is announced than follows"));
  EXPECT_THAT(refusal_of({1, 0xff, 0xff, 0xff, 0x7f}), HasSubstr("a number up to 1000000"));
  EXPECT_THAT(refusal_of({1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 'a', 0x0f, 0, 0, 0}),
              HasSubstr("kind that does not exist"));
  EXPECT_THAT(refusal_of({1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 7, 0, 0}),
              HasSubstr("kind that does not exist"));
  EXPECT_THAT(refusal_of({1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0, 5, 0}),
              HasSubstr("a text that is not there"));
  EXPECT_THAT(refusal_of({1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}),
              HasSubstr("a number up to 0"))
      << "the first name has nothing to share";
  EXPECT_THAT(refusal_of({1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}), HasSubstr("has 0 bytes"));
  // One node, one link: to itself, to nowhere, of properties that are not there.
  EXPECT_THAT(
      refusal_of({1, 1, 1, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
      HasSubstr("ends where it begins"));
  EXPECT_THAT(
      refusal_of({1, 1, 1, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, 0, 1}),
      HasSubstr("does not exist"));
  EXPECT_THAT(
      refusal_of({1, 1, 1, 0, 0, 1, 0, 0, 0, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1}),
      HasSubstr("unknown properties"));
}

}  // namespace
}  // namespace unirack
