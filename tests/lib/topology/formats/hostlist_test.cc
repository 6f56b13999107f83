#include "lib/topology/formats/hostlist.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

using Names = std::vector<std::string>;

std::string error_of(std::string_view text) {
  const auto names = expand_hostlist(text);
  return names ? "no error" : names.error().detail;
}

TEST(Hostlist, Expands) {
  EXPECT_EQ(expand_hostlist("node[001-003,020],login1").value(),
            (Names{"node001", "node002", "node003", "node020", "login1"}));
  EXPECT_EQ(expand_hostlist("[1101-1102]").value(), (Names{"1101", "1102"}));
  EXPECT_EQ(expand_hostlist("r[0-1]n[8-10]x").value(),
            (Names{"r0n8x", "r0n9x", "r0n10x", "r1n8x", "r1n9x", "r1n10x"}));
  EXPECT_EQ(expand_hostlist(" a , b ").value(), (Names{"a", "b"}));
  EXPECT_EQ(expand_hostlist("n[098-101]").value(), (Names{"n098", "n099", "n100", "n101"}));
}

TEST(Hostlist, SaysWhatIsWrong) {
  EXPECT_EQ(error_of(""), "expected a name in ''");
  EXPECT_EQ(error_of("a,"), "expected a name after ',' in 'a,'");
  EXPECT_EQ(error_of("a,,b"), "expected a name, found '' in ''");
  EXPECT_EQ(error_of("n[1-2"), "expected ']' in 'n[1-2'");
  EXPECT_EQ(error_of("n1-2]"), "expected a name, found 'n1-2]' in 'n1-2]'");
  EXPECT_EQ(error_of("n[]"), "expected a number or a range as '01-18', found '' in 'n[]'");
  EXPECT_EQ(error_of("n[a-b]"), "expected a number or a range as '01-18', found 'a-b' in 'n[a-b]'");
  EXPECT_EQ(error_of("n[1-2-3]"),
            "expected a number or a range as '01-18', found '1-2-3' in 'n[1-2-3]'");
  EXPECT_EQ(error_of("n[9-1]"),
            "expected a range that ends after it begins, found '9-1' in 'n[9-1]'");
  EXPECT_EQ(error_of("n[99999999999999999999]"),
            "expected a number or a range as '01-18', found '99999999999999999999' in "
            "'n[99999999999999999999]'");
}

// A short text must not become a large list.
TEST(Hostlist, IsBounded) {
  const std::string too_many = "expected at most 100000 names of 32 MiB together in ";
  EXPECT_EQ(error_of("n[0-99999]"), "no error");
  EXPECT_EQ(error_of("n[0-100000]"), too_many + "'n[0-100000]'");
  EXPECT_EQ(error_of("n[0-999999999999999999]"), too_many + "'n[0-999999999999999999]'");
  EXPECT_EQ(error_of("a[0-999]b[0-999]"), too_many + "'a[0-999]b[0-999]'");
  EXPECT_EQ(error_of("a[0-70000],b[0-70000]"), too_many + "'b[0-70000]'");
  EXPECT_EQ(error_of(std::string(400, 'x') + "[0-99999]"),
            too_many + "'" + std::string(60, 'x') + "...'");
  EXPECT_EQ(error_of(std::string(513, 'x')),
            "expected names of at most 512 bytes in '" + std::string(60, 'x') + "...'");
}

TEST(Hostlist, Compresses) {
  const auto compressed = [](const Names& names) { return compress_hostlist(names).value(); };
  EXPECT_EQ(compressed({}), "");
  EXPECT_EQ(compressed({"node2", "node1", "node3", "node7"}), "node[1-3,7]");
  EXPECT_EQ(compressed({"node9", "node10", "login"}), "login,node[9-10]");
  EXPECT_EQ(compressed({"n009", "n010", "n100"}), "n[009-010,100]");
  EXPECT_EQ(compressed({"n09", "n9"}), "n09,n9") << "two names that are not the same";
  EXPECT_EQ(compressed({"r1-c01", "r1-c02", "r2-c01"}), "r1-c[01-02],r2-c01");
  EXPECT_EQ(compressed({"1101", "1102"}), "[1101-1102]");
  EXPECT_EQ(compress_hostlist(Names{"a[1]"}).error().detail,
            "cannot be written as a host list: 'a[1]'");
  const Names names = {"n1000", "n099", "n100", "x12345678901234567890", "y", "z01-ib", "z02-ib"};
  EXPECT_EQ(expand_hostlist(compressed(names)).value(), names);
}

}  // namespace
}  // namespace unirack
