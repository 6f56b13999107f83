#include "lib/topology/formats/json_file.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

std::string error_of(const std::string& text) {
  const auto file = JsonFile::parse(text);
  return file ? "no error" : file.error().detail;
}

TEST(JsonFile, ValuesKnowTheirLineAndPath) {
  const JsonFile file =
      JsonFile::parse("{\n\"n\": 1\n,\"l\": [true,\n7\n,\n{\"x\":\n-2.5}]}").value();
  const JsonValue& root = file.root();
  EXPECT_EQ(file.error(root, "why").detail, "line 1: why");
  EXPECT_EQ(file.error(*root.find("n"), "why").detail, "line 2, n: why");
  const JsonValue& list = *root.find("l");
  EXPECT_EQ(file.error(list.items[0], "why").detail, "line 3, l[0]: why");
  EXPECT_EQ(file.error(list.items[1], "why").detail, "line 4, l[1]: why");
  EXPECT_EQ(file.error(*list.items[2].find("x"), "why").detail, "line 7, l[2].x: why");
  EXPECT_EQ(list.items[2].find("x")->real, -2.5);
  EXPECT_EQ(root.find("absent"), nullptr);
}

TEST(JsonFile, BadOnesAreAnsweredWithTheLine) {
  EXPECT_EQ(error_of("").substr(0, 22), "line 1: expected JSON:");
  EXPECT_EQ(error_of("{\n\"a\": tru\n}").substr(0, 22), "line 2: expected JSON:");
  EXPECT_EQ(error_of("[1] 2").substr(0, 22), "line 1: expected JSON:");
  EXPECT_EQ(error_of("{\"a\": 1,\n\"a\": 2}"), "line 2: 'a' stands twice in an object");
  EXPECT_EQ(error_of("[1e999]").substr(0, 22), "line 1: expected JSON:");
  EXPECT_EQ(error_of("[\"\xff\"]").substr(0, 22), "line 1: expected JSON:");
}

TEST(JsonFile, DepthAndSizeAreBounded) {
  EXPECT_EQ(error_of(std::string(100, '[') + std::string(100, ']')), "no error");
  EXPECT_EQ(error_of(std::string(1'000'000, '[')), "line 1: expected at most 100 levels of JSON");
  std::string text = "[1";
  for (size_t i = 0; i < kJsonValuesMax; ++i) text += ",1";
  EXPECT_EQ(error_of(text + "]"), "has more than 4000000 JSON values");
}

TEST(JsonFile, MembersAreCheckedForTheirKind) {
  const JsonFile file =
      JsonFile::parse(
          "{\"i\": 5, \"r\": 0.5, \"t\": \"x\", \"b\": true, \"l\": [], \"o\": {},\n"
          "\"big\": 18446744073709551615, \"z\": null}")
          .value();
  const JsonValue& root = file.root();
  EXPECT_EQ(*file.integer(root, "i", 0, 9), 5);
  EXPECT_EQ(*file.integer(root, "absent", 0, 9), std::nullopt);
  EXPECT_EQ(*file.real(root, "r"), 0.5);
  EXPECT_EQ(*file.real(root, "i"), 5.0);
  EXPECT_EQ(*file.text(root, "t"), "x");
  EXPECT_EQ(*file.boolean(root, "b"), true);
  EXPECT_EQ(*file.list(root, "l"), root.find("l"));
  EXPECT_EQ(*file.object(root, "absent"), nullptr);
  EXPECT_EQ(file.integer(root, "i", 6, 9).error().detail,
            "line 1, i: expected a whole number from 6 to 9, found 5");
  EXPECT_EQ(file.integer(root, "r", 0, 9).error().detail,
            "line 1, r: expected a whole number from 0 to 9, found 0.5");
  EXPECT_EQ(file.integer(root, "big", 0, 9).error().detail,
            "line 2, big: expected a whole number from 0 to 9, found 1.8446744073709552e+19");
  EXPECT_EQ(file.text(root, "l").error().detail, "line 1, l: expected a text, found a list");
  EXPECT_EQ(file.boolean(root, "t").error().detail, "line 1, t: expected true or false, found 'x'");
  EXPECT_EQ(file.real(root, "z").error().detail, "line 2, z: expected a number, found null");
  EXPECT_EQ(file.list(root, "o").error().detail, "line 1, o: expected a list, found an object");
  EXPECT_EQ(file.object(root, "b").error().detail,
            "line 1, b: expected an object, found true or false");
}

TEST(JsonFile, UnknownMembersSayWhere) {
  const JsonFile file = JsonFile::parse("{\"a\": {\"b\": 1,\n\"c\": 2}}").value();
  const std::string_view known[] = {"b", "d"};
  EXPECT_EQ(file.expect_only(*file.root().find("a"), known).error().detail,
            "line 2, a.c: expected one of b, d, found another field");
}

}  // namespace
}  // namespace unirack
