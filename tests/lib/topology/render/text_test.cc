#include "lib/topology/render/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unirack {
namespace {

using ::testing::ElementsAre;

TEST(RenderText, SpeedsAreShort) {
  EXPECT_EQ(speed_text(0), "?");
  EXPECT_EQ(speed_text(900'000'000'000), "900 GB/s");
  EXPECT_EQ(speed_text(31'500'000'000), "31.5 GB/s");
  EXPECT_EQ(speed_text(12'500'000'000), "12.5 GB/s");
  EXPECT_EQ(speed_text(3'938'000'000), "3.94 GB/s");
  EXPECT_EQ(speed_text(250'000'000), "250 MB/s");
  EXPECT_EQ(speed_text(1), "1 B/s");
}

TEST(RenderText, RunsOfNamesFold) {
  const auto fold = [](std::vector<std::string> names) { return fold_names(names); };
  EXPECT_EQ(fold({"gpu0", "gpu1", "gpu2", "gpu3"}), "gpu0-3");
  EXPECT_EQ(fold({"mlx5_0", "mlx5_1", "mlx5_4", "mlx5_5"}), "mlx5_0,1,4,5");
  EXPECT_EQ(fold({"c08", "c09", "c10"}), "c08-10");
  EXPECT_EQ(fold({"rack0/leaf1", "rack1/leaf1"}), "rack0,1/leaf1");
  EXPECT_EQ(fold({"one"}), "one");
  EXPECT_EQ(fold({"a0b0", "a1b1"}), "") << "two numbers differ";
  EXPECT_EQ(fold({"left", "right"}), "");
  EXPECT_EQ(fold({"gpu0", "gpu0"}), "");
  EXPECT_EQ(fold({"g1", "g99999999999999999999"}), "");
  EXPECT_EQ(fold({}), "");
}

TEST(RenderText, PrefixesEndAtWordsAndNumbers) {
  const auto prefix = [](std::vector<std::string_view> names) { return common_prefix(names); };
  EXPECT_EQ(prefix({"rack-c01", "rack-c02"}), 6u);
  EXPECT_EQ(prefix({"tray10", "tray11"}), 4u);
  EXPECT_EQ(prefix({"alpha", "alps"}), 0u);
  EXPECT_EQ(prefix({"one"}), 0u);
  EXPECT_EQ(prefix({"a", "a"}), 0u);
}

TEST(RenderText, TailsTellNamesApart) {
  const auto tails = [](std::vector<std::string_view> names) { return distinct_tails(names); };
  EXPECT_THAT(tails({"A09-LEAF-01-01", "A09-LEAF-01-02", "B09-LEAF-02-01"}),
              ElementsAre("01-01", "01-02", "02-01"));
  EXPECT_THAT(tails({"A10-SPINE-01", "B10-SPINE-02"}), ElementsAre("01", "02"));
  EXPECT_THAT(tails({"spine0", "spine1"}), ElementsAre("0", "1"));
  EXPECT_THAT(tails({"same", "same"}), ElementsAre("same", "same"));
}

TEST(RenderText, EscapesWhatXmlForbids) {
  EXPECT_EQ(xml_escaped("<a href=\"x\">&'\x01"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;?");
}

TEST(RenderText, ShortensInTheMiddle) {
  EXPECT_EQ(shortened("short", 5), "short");
  EXPECT_EQ(shortened("abcdefghij", 5), "ab\u2026ij");
  EXPECT_EQ(shortened("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", 3), "\u00e9\u2026\u00e9");
  EXPECT_EQ(shortened("abc", 0), "");
  EXPECT_EQ(character_count("a\u00d7b"), 3u);
}

TEST(RenderText, CountsAreGrouped) {
  EXPECT_EQ(count_text(1, "rack", "racks"), "1 rack");
  EXPECT_EQ(count_text(1152, "GPU", "GPUs"), "1,152 GPUs");
  EXPECT_EQ(grouped(1234567), "1,234,567");
}

}  // namespace
}  // namespace unirack
