#include "lib/topology/formats/text_reader.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

TEST(TextReader, ErrorsSayWhere) {
  EXPECT_EQ(bad_text(12, "<gpu>", "expected a number").detail, "line 12, <gpu>: expected a number");
  EXPECT_EQ(bad_text(12, "", "expected a number").detail, "line 12: expected a number");
  EXPECT_EQ(bad_text(0, "nodes", "expected a list").detail, "nodes: expected a list");
  EXPECT_EQ(bad_text(0, "", "is empty").detail, "is empty");
  EXPECT_EQ(bad_text(1, "", "x").code, Code::invalid_argument);
}

TEST(TextReader, QuotesWhatAFileSays) {
  EXPECT_EQ(shown("x y"), "'x y'");
  EXPECT_EQ(shown("\x1b[1m\n\xff"), "'\\x1b[1m\\x0a\\xff'");
  EXPECT_EQ(shown(std::string(61, 'a')), "'" + std::string(60, 'a') + "...'");
}

TEST(TextReader, Utf8) {
  for (const char* text :
       {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const char* text :
       {"\xff", "\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xe2\x82", "\xe2\x28\xa1"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(TextReader, LinesWithoutTheirEnds) {
  LineReader lines("one\r\n\ntwo");
  EXPECT_EQ(lines.number(), 0u);
  EXPECT_EQ(lines.next(), "one");
  EXPECT_EQ(lines.number(), 1u);
  EXPECT_EQ(lines.next(), "");
  EXPECT_EQ(lines.rest(), "two");
  EXPECT_EQ(lines.next(), "two");
  EXPECT_EQ(lines.number(), 3u);
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_EQ(LineReader("").next(), std::nullopt);
}

TEST(TextReader, LineOfAnOffset) {
  const std::string_view text = "a\nb\n";
  EXPECT_EQ(line_at(text, 0), 1u);
  EXPECT_EQ(line_at(text, 1), 1u);
  EXPECT_EQ(line_at(text, 2), 2u);
  EXPECT_EQ(line_at(text, 99), 3u);
}

TEST(TextReader, WordsAndParts) {
  using Texts = std::vector<std::string_view>;
  EXPECT_EQ(trimmed(" \ta b\r\n"), "a b");
  EXPECT_EQ(trimmed("  "), "");
  EXPECT_EQ(words_of("  a\tbc  d"), (Texts{"a", "bc", "d"}));
  EXPECT_EQ(words_of("  "), Texts{});
  EXPECT_EQ(split("a,,b,", ','), (Texts{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), Texts{""});
}

TEST(TextReader, NumbersAreWholeTextsWithinTheirType) {
  EXPECT_EQ(number_from<int32_t>("-17"), -17);
  EXPECT_EQ(number_from<uint64_t>("0xff", 16), 255u);
  EXPECT_EQ(number_from<uint64_t>("ff", 16), 255u);
  EXPECT_EQ(number_from<int32_t>("2147483648"), std::nullopt);
  EXPECT_EQ(number_from<uint32_t>("-1"), std::nullopt);
  EXPECT_EQ(number_from<int32_t>(" 1"), std::nullopt);
  EXPECT_EQ(number_from<int32_t>("1x"), std::nullopt);
  EXPECT_EQ(number_from<int32_t>(""), std::nullopt);
  EXPECT_EQ(number_from<int32_t>("+1"), std::nullopt);
  EXPECT_EQ(real_from("2.5"), 2.5);
  EXPECT_EQ(real_from("inf"), std::nullopt);
  EXPECT_EQ(real_from("1e999"), std::nullopt);
  EXPECT_EQ(real_from("2.5 GT/s"), std::nullopt);
}

}  // namespace
}  // namespace unirack
