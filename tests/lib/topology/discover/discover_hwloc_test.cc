// hwloc reads another tree only if HWLOC_FSROOT names it, so each tree is read in a child process.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "lib/base/unique_fd.h"
#include "lib/topology/discover/discover.h"
#include "tests/support/fake_tree.h"
#include "tests/support/watchdog.h"

namespace unirack {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using unirack::testing::FakeTree;

// What `body` returns in a child whose hwloc reads `root`.
std::string in_child(const std::string& root, const std::function<std::string()>& body) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    setenv("HWLOC_FSROOT", root.c_str(), 1);
    const std::string text = body();
    const bool written =
        write(to.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(written ? 0 : 1);
  }
  to.reset();
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = read(from.get(), buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << text;
  return text;
}

// A line for each NUMA node, NIC, GPU and note.
std::string summary(const std::string& root) {
  const auto found = discover({.root = root, .use_hwloc = true, .host = "h"});
  if (!found) return found.error().to_string();
  std::string text;
  for (const Node& node : found->graph.nodes()) {
    if (node.kind == NodeKind::cpu) {
      text += fmt::format("{} cores={} caches={}\n", node.name, node.attribute("cores"),
                          node.attribute("caches"));
    } else {
      text += fmt::format("{} {}\n", node.name, node.attribute("speed_mbps"));
    }
  }
  for (const std::string& note : found->notes) text += "note: " + note + "\n";
  return text;
}

// A folder with the archive's tree; empty where there is none or it cannot be unpacked.
class Archive {
 public:
  explicit Archive(const std::string& name) {
    const char* data = getenv("UNIRACK_TEST_DATA");
    if (data == nullptr) return;
    unirack::testing::extend_watchdog(3);  // thousands of small files
    const std::string file = fmt::format("{}/topologies/hwloc-linux/{}.tar.bz2", data, name);
    if (!std::filesystem::exists(file)) return;
    const std::string command = fmt::format(
        "tar xjf '{}' -C '{}' --strip-components=1 >/dev/null 2>&1", file, tree_.root());
    unpacked_ = std::system(command.c_str()) == 0;
  }

  bool unpacked() const { return unpacked_; }
  std::string read() const {
    const std::string& root = tree_.root();
    return in_child(root, [&] { return summary(root); });
  }

 private:
  FakeTree tree_;
  bool unpacked_ = false;
};

#define UNPACK(archive, name)  \
  const Archive archive(name); \
  if (!archive.unpacked()) GTEST_SKIP() << "needs UNIRACK_TEST_DATA, tar, bzip2: " << (name)

TEST(DiscoverHwloc, AnotherTreeIsNotMistakenForThisMachine) {
  FakeTree tree;
  const auto found = discover({.root = tree.root(), .use_hwloc = true});
  ASSERT_TRUE(found);
  EXPECT_THAT(found->notes, Contains(HasSubstr("not known")));
  EXPECT_EQ(found->graph.node(0).attribute("cores"), "");
}

TEST(DiscoverHwloc, ThisMachine) {
  const auto found = discover({.use_nvml = false});
  ASSERT_TRUE(found);
  for (const std::string& note : found->notes) {
    if (note.find("hwloc") != std::string::npos) GTEST_SKIP() << note;
  }
  EXPECT_NE(found->graph.node(0).attribute("cores"), "");
}

TEST(DiscoverHwloc, HybridCores) {
  UNPACK(archive, "20em64t-hybrid-1p6c2t+2ca4co1t");
  const std::string text = archive.read();
  EXPECT_THAT(text, HasSubstr("h/cpu0 cores=14 caches=L1 48 KiB, L2 1280 KiB, L3 24 MiB\n"));
}

TEST(DiscoverHwloc, FourSocketsWithInfiniband) {
  UNPACK(archive, "40intel64-2g2n4c+pcilocality");
  const std::string text = archive.read();
  EXPECT_THAT(text, HasSubstr("h/cpu3 cores=10 "));
  EXPECT_THAT(text, HasSubstr("h/nic/qib0 32000\n")) << "40 Gbit/s of QDR carry 32";
  EXPECT_THAT(text, HasSubstr("h/nic/eth0 1000\n"));
}

TEST(DiscoverHwloc, ConflictingBuses) {
  UNPACK(archive, "40intel64-4n10c+pci-conflicts");
  EXPECT_THAT(archive.read(), HasSubstr("h/cpu3 cores=10 "));
}

TEST(DiscoverHwloc, DesktopWithGraceCores) {
  UNPACK(archive, "nvidia-dgx-gb10");
  EXPECT_THAT(archive.read(), HasSubstr("h/cpu0 cores=20 "));
}

TEST(DiscoverHwloc, MemoryOfGpusIsNoNumaNodeOfOurs) {
  UNPACK(archive, "nvidiagpunumanodes");
  const std::string text = archive.read();
  EXPECT_THAT(text, HasSubstr("h/cpu8 cores=4 "));
  EXPECT_THAT(text, Not(HasSubstr("h/cpu255")));
  EXPECT_THAT(text, HasSubstr("6 NUMA nodes have no CPUs"));
}

}  // namespace
}  // namespace unirack
