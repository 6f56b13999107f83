#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/msccl_files.h"
#include "tests/support/topo_tool.h"

namespace unirack {
namespace {

using testing::content_of;
using ::testing::HasSubstr;
using testing::Ran;
using testing::run_topo;
using ::testing::StartsWith;
using testing::temporary_file;

TEST(TopoConvert, TheExtensionDecides) {
  const std::string json = temporary_file("a.json", "");
  const std::string page = temporary_file("a.html", "");
  ASSERT_EQ(run_topo({"convert", "dgx-h100", json}).code, 0);
  EXPECT_THAT(content_of(json), HasSubstr("unirack_topology"));
  ASSERT_EQ(run_topo({"convert", json, page}).code, 0);
  EXPECT_THAT(content_of(page), StartsWith("<!DOCTYPE html>"));
}

TEST(TopoConvert, ThereAndBackIsTheSame) {
  const Ran once = run_topo({"generate", "nvl72:racks=2"});
  const Ran twice = run_topo({"convert", "-", "-", "--from", "unirack-json"}, once.out);
  ASSERT_EQ(twice.code, 0) << twice.err;
  const std::string a = temporary_file("once.json", once.out);
  const std::string b = temporary_file("twice.json", twice.out);
  EXPECT_EQ(run_topo({"diff", a, b}).code, 0);
}

TEST(TopoConvert, UnknownFormsAreRefusedWithTheKnownOnes) {
  const Ran ran = run_topo({"convert", "dgx-h100", "-", "--to", "frob"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.err, HasSubstr("cannot write 'frob': expected one of unirack-json"));
  EXPECT_THAT(ran.err, HasSubstr("tree, matrix, svg, html"));
  EXPECT_EQ(run_topo({"convert", "dgx-h100", "-", "--to", "ibnetdiscover"}).code, 3);
}

TEST(TopoConvert, SchedulesAreConvertedToo) {
  const std::string xml = temporary_file("ring.xml", testing::msccl_ring_all_reduce(4));
  const Ran text = run_topo({"convert", xml, "-"});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, StartsWith("unirack schedule 1\ncollective all_reduce\nranks 4\n"));
  EXPECT_EQ(run_topo({"verify", "-"}, text.out).code, 0);
  const std::string plan = temporary_file("ring.json", "");
  ASSERT_EQ(run_topo({"convert", "-", plan}, text.out).code, 0);
  EXPECT_THAT(content_of(plan), HasSubstr("\"collective\": \"allreduce\""));
  const Ran unknown = run_topo({"convert", xml, "-", "--to", "svg"});
  EXPECT_EQ(unknown.code, 3);
  EXPECT_THAT(unknown.err, HasSubstr("cannot write a schedule as 'svg': expected one of schedule, "
                                     "mscclpp-json"));
  const Ran bad = run_topo({"convert", "-", "-"}, "<algo coll=\"frob\"/>");
  EXPECT_EQ(bad.code, 3);
  EXPECT_THAT(bad.err, HasSubstr("standard input: line 1, <algo>: expected allreduce"));
}

TEST(TopoGenerate, TakesFaultsAndForms) {
  const Ran whole = run_topo({"generate", "nvl72:racks=2", "--to", "tree"});
  EXPECT_THAT(whole.out, HasSubstr("144 GPUs"));
  const Ran partial = run_topo(
      {"generate", "nvl72:racks=2", "--partial-rack", "66", "--kill", "nic:3", "--to", "tree"});
  EXPECT_EQ(partial.code, 0) << partial.err;
  EXPECT_THAT(partial.out, HasSubstr(" down"));
  EXPECT_THAT(run_topo({"generate", "--list"}).out, HasSubstr("nvl72"));
  EXPECT_THAT(run_topo({"generate", "--list", "--json"}).out, HasSubstr("\"name\": \"nvl72\""));
  EXPECT_EQ(run_topo({"generate"}).code, 3);
  EXPECT_EQ(run_topo({"generate", "frob"}).code, 3);
}

}  // namespace
}  // namespace unirack
