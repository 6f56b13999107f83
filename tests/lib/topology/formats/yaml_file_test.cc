#include "lib/topology/formats/yaml_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace unirack {
namespace {

std::string error_of(const std::string& text) {
  const auto file = parse_yaml(text);
  return file ? "no error" : file.error().detail;
}

TEST(YamlFile, ValuesKnowTheirLines) {
  const auto file = parse_yaml("a:\n  b: [x, 'y']\n\n  c: 7\nd:\n");
  ASSERT_TRUE(file) << file.error().detail;
  const JsonValue& root = file->root();
  ASSERT_EQ(root.keys, (std::vector<std::string>{"a", "d"}));
  const JsonValue& a = root.items[0];
  EXPECT_EQ(a.items[0].items[1].text, "y");
  EXPECT_EQ(a.items[1].kind, JsonValue::Kind::text) << "scalars are texts";
  EXPECT_EQ(a.items[1].line, 4u);
  EXPECT_EQ(root.items[1].kind, JsonValue::Kind::null);
  EXPECT_EQ(file->error(a.items[1], "x").detail, "line 4, a.c: x");
}

TEST(YamlFile, AliasesAreCopies) {
  const auto file = parse_yaml("a: &x [1, 2]\nb: *x\n");
  ASSERT_TRUE(file) << file.error().detail;
  EXPECT_EQ(file->root().items[1].items[1].text, "2");
}

// A dozen short lines that name each other ten times over.
TEST(YamlFile, AliasesAreBounded) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j == 0 ? "" : ",", i - 1);
    bomb += "]\n";
  }
  EXPECT_EQ(error_of(bomb), "line 6: expected at most 1000000 values");
}

TEST(YamlFile, DepthIsBounded) {
  EXPECT_EQ(error_of(std::string(100, '[') + std::string(100, ']')), "no error");
  EXPECT_EQ(error_of(std::string(101, '[') + std::string(101, ']')),
            "line 1: expected at most 100 levels of YAML");
  EXPECT_NE(error_of(std::string(100000, '[')), "no error");
  std::string nested = "a0: &a0 [x]\n";
  for (int i = 1; i < 120; ++i) nested += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);
  EXPECT_EQ(error_of(nested), "line 99: expected at most 100 levels of YAML");
}

TEST(YamlFile, BadText) {
  EXPECT_EQ(error_of("a: [1, 2\n"), "line 2: expected YAML: end of sequence flow not found");
  EXPECT_EQ(error_of("a: 1\na: 2\n"), "line 2: 'a' stands twice in a map");
  EXPECT_EQ(error_of("{[a]: 1}"), "line 1: expected a text as a key");
  EXPECT_EQ(error_of("a: *b\n"), "line 1: expected YAML: the referenced anchor is not defined");
  EXPECT_EQ(error_of("a: \"\xff\"\n").substr(0, 7), "line 1:");
}

}  // namespace
}  // namespace unirack
