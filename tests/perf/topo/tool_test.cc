#include "perf/topo/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/topology/formats/formats.h"
#include "tests/support/topo_tool.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using testing::Ran;
using testing::run_topo;
using ::testing::StartsWith;

TEST(TopoTool, HelpIsAManualPage) {
  const Ran ran = run_topo({"--help"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "");
  for (const char* part : {"EXIT STATUS", "EXAMPLES", "FORMATS", "unirack-json", "NO_COLOR"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
  for (const char* command :
       {"show", "check", "bound", "convert", "diff", "generate", "measure", "verify", "simulate"}) {
    const Ran help = run_topo({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("EXIT STATUS")) << command;
    EXPECT_THAT(help.out, HasSubstr("EXAMPLES")) << command;
  }
}

TEST(TopoTool, BadUsageIsSaid) {
  EXPECT_EQ(run_topo({}).code, 3);
  const Ran unknown = run_topo({"frobnicate"});
  EXPECT_EQ(unknown.code, 3);
  EXPECT_THAT(unknown.err,
              StartsWith("unirack-topo: 'frobnicate' is no command: expected one of "));
  const Ran option = run_topo({"show", "--frob"});
  EXPECT_EQ(option.code, 3);
  EXPECT_THAT(option.err, HasSubstr("Try 'unirack-topo show --help'."));
  EXPECT_EQ(option.out, "");
}

TEST(TopoTool, BadInputIsSaid) {
  const Ran missing = run_topo({"show", "/nonexistent/file"});
  EXPECT_EQ(missing.code, 3);
  EXPECT_EQ(missing.err,
            "unirack-topo: cannot open /nonexistent/file: No such file or directory\n");
  EXPECT_THAT(run_topo({"show", "nvl73"}).err, HasSubstr("'nvl73' is neither a file nor a fabric"));
  EXPECT_EQ(run_topo({"show", "nvl72:wheels=4"}).code, 3);
  const Ran nonsense = run_topo({"show", "-"}, "nonsense");
  EXPECT_EQ(nonsense.code, 3);
  EXPECT_THAT(nonsense.err, HasSubstr("standard input: is of no known format"));
  EXPECT_EQ(run_topo({"show", "-", "--from", "frob"}, "{}").code, 3);
  EXPECT_EQ(run_topo({"bound", "nvl72", "--kill", "gpu:9999"}).code, 3);
  EXPECT_EQ(run_topo({"bound", "nvl72", "--collective", "all-frob"}).code, 3);
  EXPECT_EQ(run_topo({"bound", "nvl72", "--root", "nobody"}).code, 3);
}

TEST(TopoTool, ShowsAGeneratedFabric) {
  const Ran tree = run_topo({"show", "nvl72:racks=2", "--ascii"});
  EXPECT_EQ(tree.code, 0) << tree.err;
  EXPECT_THAT(tree.out, HasSubstr("144 GPUs"));
  EXPECT_THAT(tree.out, HasSubstr("gpu0-3"));
  const Ran matrix = run_topo({"show", "dgx-h100", "--matrix"});
  EXPECT_THAT(matrix.out, HasSubstr("NV18"));
}

TEST(TopoTool, JsonGoesThroughAPipe) {
  const Ran json = run_topo({"show", "dgx-a100:boxes=2", "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  const Ran tree = run_topo({"show", "-", "--tree"}, json.out);
  ASSERT_EQ(tree.code, 0) << tree.err;
  EXPECT_THAT(tree.out, HasSubstr("16 GPUs"));
}

TEST(TopoTool, FaultsAreWhatIfs) {
  const Ran whole = run_topo({"bound", "nvl72:racks=2", "--collective", "all-gather", "--json"});
  const Ran broken = run_topo(
      {"bound", "nvl72:racks=2", "--collective", "all-gather", "--json", "--kill", "nic:0"});
  EXPECT_THAT(whole.out, HasSubstr("956.643"));
  EXPECT_THAT(broken.out, HasSubstr("906.29"));
}

TEST(TopoTool, WritesPictures) {
  const std::string page = testing::temporary_file("show.html", "");
  const std::string picture = testing::temporary_file("show.svg", "");
  const Ran ran = run_topo({"show", "nvl72", "--html", page, "--svg", picture});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "") << "nothing else was asked for";
  EXPECT_THAT(testing::content_of(page), StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(testing::content_of(picture), StartsWith("<svg "));
  const Ran failed = run_topo({"show", "nvl72", "--svg", "/nonexistent/x.svg"});
  EXPECT_EQ(failed.code, 3);
  EXPECT_THAT(failed.err, HasSubstr("cannot write /nonexistent/x.svg"));
}

TEST(TopoTool, ShowsThisMachine) {
  const Ran ran = run_topo({"show"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("1 machine"));
}

}  // namespace
}  // namespace unirack
