#include "lib/topology/render/picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "lib/topology/formats/formats.h"
#include "lib/topology/generate/generate.h"
#include "tests/support/sample_graphs.h"
#include "tests/support/watchdog.h"

namespace unirack {
namespace {

Graph must_generate(const char* spec) {
  auto graph = generate(spec);
  EXPECT_TRUE(graph) << spec << ": " << graph.error().detail;
  return std::move(graph).value();
}

bool overlap(const Rect& a, const Rect& b) {
  return a.x < b.right() - 0.01 && b.x < a.right() - 0.01 && a.y < b.bottom() - 0.01 &&
         b.y < a.bottom() - 0.01;
}

// Every node has one cell, inside the picture, that no other cell covers, and whose text fits;
// every edge has one line of its own.
void check(const Graph& graph) {
  const Picture picture = draw(graph);
  std::set<NodeIndex> nodes;
  for (const PictureCell& cell : picture.cells) {
    const std::string& name = graph.node(cell.node).name;
    EXPECT_TRUE(nodes.insert(cell.node).second) << name;
    EXPECT_GE(cell.at.x, 0) << name;
    EXPECT_GE(cell.at.y, 0) << name;
    EXPECT_LE(cell.at.right(), picture.width) << name;
    EXPECT_LE(cell.at.bottom(), picture.height) << name;
    EXPECT_GT(cell.at.width, 0) << name;
    EXPECT_GT(cell.at.height, 0) << name;
    EXPECT_LE(text_width(cell.label, cell.font), cell.at.width) << name;
  }
  EXPECT_EQ(nodes.size(), graph.nodes().size());
  for (size_t i = 0; i < picture.cells.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      ASSERT_FALSE(overlap(picture.cells[i].at, picture.cells[j].at))
          << graph.node(picture.cells[i].node).name << " covers "
          << graph.node(picture.cells[j].node).name;
    }
  }
  std::set<size_t> own, bundled;
  for (const Line& line : picture.lines) {
    EXPECT_FALSE(line.path.empty());
    if (line.role == LineRole::bundle) {
      bundled.insert(line.edges.begin(), line.edges.end());
      continue;
    }
    ASSERT_EQ(line.edges.size(), 1u);
    EXPECT_TRUE(own.insert(line.edges[0]).second);
  }
  EXPECT_EQ(own.size(), picture.edges.size());
  size_t links = 0;
  for (const Edge& edge : picture.edges) links += edge.links.size();
  EXPECT_EQ(links, graph.links().size());
}

TEST(Picture, EveryNodeAndLinkHasItsPlace) {
  check(testing::sample_machine());
  check(testing::sample_pool(1, false));
  check(testing::sample_pool(5, true));
  for (const char* spec : {"dgx-a100", "dgx-h100:boxes=4", "nvl72", "nvl72:racks=4", "mi250",
                           "torus:4x4", "hypercube"}) {
    SCOPED_TRACE(spec);
    check(must_generate(spec));
  }
}

TEST(Picture, RealFilesToo) {
  const char* data = std::getenv("UNIRACK_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "UNIRACK_TEST_DATA is not set";
  unirack::testing::extend_watchdog(3);
  size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           std::string(data) + "/topologies", std::filesystem::directory_options::none)) {
    if (!entry.is_regular_file()) continue;
    const auto graph = read_graph_file(entry.path().string(), "", {});
    if (!graph || graph->nodes().size() > 2000) continue;
    SCOPED_TRACE(entry.path().string());
    check(*graph);
    ++count;
  }
  EXPECT_GT(count, 40u);
}

TEST(Picture, ALargePoolIsDrawnInRowsNotInALine) {
  const Picture picture = draw(must_generate("nvl72:racks=16"));
  EXPECT_LT(picture.width / picture.height, 3.5);
}

TEST(Picture, EmptyGraphsAreDrawnToo) { check(*GraphBuilder().build("empty")); }

TEST(Picture, AMissingNicLeavesAnOutline) {
  const Picture picture = draw(testing::sample_pool(2, true));
  EXPECT_EQ(
      std::count_if(picture.frames.begin(), picture.frames.end(),
                    [](const PictureFrame& frame) { return frame.kind == FrameKind::absent; }),
      1);
}

TEST(Picture, WidthGrowsWithSpeed) {
  EXPECT_EQ(line_width(0), 0.6);
  EXPECT_LT(line_width(50'000'000'000), line_width(100'000'000'000));
  EXPECT_EQ(line_width(UINT64_MAX), 6.0);
}

}  // namespace
}  // namespace unirack
