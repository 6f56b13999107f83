#include "lib/topology/formats/xml_file.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

std::string error_of(const std::string& text) {
  const auto file = XmlFile::parse(text);
  return file ? "no error" : file.error().detail;
}

TEST(XmlFile, ElementsKnowTheirLine) {
  const std::string text = "<?xml version='1.0'?>\n<!-- <b> -->\n<a>\n  <b x='1'/>\n\n  <c/></a>\n";
  const XmlFile file = XmlFile::parse(text).value();
  EXPECT_STREQ(file.root().name(), "a");
  EXPECT_EQ(file.line_of(file.root()), 3u);
  EXPECT_EQ(file.line_of(file.root().child("b")), 4u);
  EXPECT_EQ(file.line_of(file.root().child("c")), 6u);
  EXPECT_EQ(file.error(file.root().child("c"), "why").detail, "line 6, <c>: why");
}

TEST(XmlFile, BadOnesAreAnsweredWithTheLine) {
  EXPECT_EQ(error_of(""), "line 1: expected XML: no document element found");
  EXPECT_EQ(error_of("<a>\n<b>\n</a>"), "line 3: expected XML: start-end tags mismatch");
  EXPECT_EQ(error_of("<a>\n<b x=1/></a>"), "line 2: expected XML: error parsing element attribute");
  EXPECT_EQ(error_of("<a/>\n<b/>"), "line 2, <b>: expected the end of the file after <a>");
}

TEST(XmlFile, DepthIsBounded) {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "<a>\n";
    for (int i = 0; i < depth; ++i) text += "<b/></a>";
    return text;
  };
  EXPECT_EQ(error_of(nested(kXmlDepthMax - 1)), "no error");
  EXPECT_EQ(error_of(nested(kXmlDepthMax + 1)),
            "line 101, <a>: expected at most 100 levels of elements");
  EXPECT_NE(error_of(nested(100'000)), "no error");
}

// A name with one would not survive being written.
TEST(XmlFile, ControlCharactersAreRefused) {
  EXPECT_EQ(error_of("<a>\n<b x='mlx5\x13_0'/></a>"),
            "line 2, <b>: expected no control character in 'x', found 0x13");
  EXPECT_EQ(error_of("<a x='&#1;'/>"),
            "line 1, <a>: expected no control character in 'x', found 0x01");
  EXPECT_EQ(error_of("<a x='tab\tline&#10;'/>"), "no error");
}

TEST(XmlFile, SizeIsBounded) {
  std::string text = "<a>";
  for (size_t i = 0; i < 2 * kXmlElementsMax; ++i) text += "<b/>";
  EXPECT_EQ(error_of(text + "</a>"), "has more than 2000000 XML elements");
}

TEST(XmlFile, NumbersAndTexts) {
  const std::string text = "<a n='12' h='0xff' e='' w='12x' big='99999999999999999999' neg='-3'/>";
  const XmlFile file = XmlFile::parse(text).value();
  const auto number = [&](const char* name) { return file.number(file.root(), name, 0, 1000); };
  EXPECT_EQ(*number("n"), 12);
  EXPECT_EQ(*number("h"), 255);
  EXPECT_EQ(*number("e"), std::nullopt);
  EXPECT_EQ(*number("absent"), std::nullopt);
  EXPECT_EQ(number("w").error().detail,
            "line 1, <a>: expected a number from 0 to 1000 in 'w', found '12x'");
  EXPECT_EQ(number("big").error().detail,
            "line 1, <a>: expected a number from 0 to 1000 in 'big', found '99999999999999999999'");
  EXPECT_EQ(number("neg").error().detail,
            "line 1, <a>: expected a number from 0 to 1000 in 'neg', found '-3'");
  EXPECT_EQ(file.needed_number(file.root(), "e", 0, 9).error().detail,
            "line 1, <a>: expected a number from 0 to 9 in 'e', found none");
  EXPECT_EQ(*file.needed_text(file.root(), "w"), "12x");
  EXPECT_EQ(file.needed_text(file.root(), "e").error().detail,
            "line 1, <a>: expected 'e', found none");
}

}  // namespace
}  // namespace unirack
