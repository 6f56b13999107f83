#include "lib/topology/render/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/sample_graphs.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string between(const std::string& text, std::string_view begin, std::string_view end) {
  const size_t from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

nlohmann::json data_of(const std::string& page) {
  return nlohmann::json::parse(between(page, "id=\"data\">", "</script>"), nullptr, false);
}

TEST(RenderHtml, HoldsEveryNodeAndLink) {
  const Graph graph = testing::sample_pool(3, true);
  const auto data = data_of(render_html(graph));
  ASSERT_TRUE(data.is_object());
  EXPECT_EQ(data["nodes"].size(), graph.nodes().size());
  size_t links = 0;
  for (const auto& edge : data["edges"]) {
    for (const auto& link : edge[2]) links += link[0] == 2 ? 2 : 1;
  }
  EXPECT_EQ(links, graph.links().size());
}

TEST(RenderHtml, LoadsNothing) {
  const std::string page = render_html(testing::sample_machine());
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, Not(HasSubstr("url(")));
  EXPECT_THAT(page, Not(HasSubstr("@TITLE@")));
}

TEST(RenderHtml, NamesCannotBecomeMarkup) {
  GraphBuilder builder;
  Node node;
  node.kind = NodeKind::gpu;
  node.name = "</script><script>alert(1)</script>\"'&@DATA@";
  node.host = "<b>";
  node.rack = "<i>";
  node.set_attribute("model", "</text><image href=x onerror=alert(2)>\x01");
  ASSERT_TRUE(builder.add(node));
  const Graph graph = *std::move(builder).build("<u>origin</u>");
  const std::string page = render_html(graph, {{}, {}, {{0, "<s>note"}}});
  for (const char* bad : {"<script>alert", "<b>", "<i>", "<u>", "<s>", "<image"}) {
    EXPECT_THAT(page, Not(HasSubstr(bad)));
  }
  const auto data = data_of(page);
  ASSERT_TRUE(data.is_object());
  EXPECT_EQ(data["nodes"][0]["n"], node.name);
  EXPECT_THAT(render_svg(graph), Not(HasSubstr("<b>")));
}

TEST(RenderHtml, ShowsTheLimitingCut) {
  const Graph graph = testing::sample_pool(2, false);
  PictureOptions options;
  options.title = "a title";
  options.highlights.push_back({"all-gather", "limited by leaf 0", {0}, {0}});
  const std::string page = render_html(graph, options);
  const auto data = data_of(page);
  EXPECT_EQ(data["highlights"][0]["sentence"], "limited by leaf 0");
  EXPECT_EQ(data["highlights"][0]["edges"].size(), 1u);
  const std::string file = render_svg(graph, options);
  EXPECT_THAT(file, HasSubstr("limited by leaf 0"));
  EXPECT_THAT(file, HasSubstr(" in\" data-n=\"0\""));
  EXPECT_THAT(file, HasSubstr("class=\"glow\" d="));
}

}  // namespace
}  // namespace unirack
