#include "lib/topology/formats/nvidia_smi.h"

#include <gtest/gtest.h>

#include "lib/topology/formats/nccl_xml.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

// Four GPUs on NVSwitches; GPU0 and NIC0 share a switch, GPU1 is behind the next.
constexpr const char* kSwitched =
    "\t\x1b[4mGPU0\tGPU1\tGPU2\tGPU3\tNIC0\tNIC1\tNIC2\tCPU Affinity\tNUMA Affinity\tGPU NUMA "
    "ID\x1b[0m\n"
    "GPU0\t X \tNV12\tNV12\tNV12\tPIX\tNODE\tSYS\t0-31,64-95\t0\t\tN/A\n"
    "GPU1\tNV12\t X \tNV12\tNV12\tPXB\tNODE\tSYS\t0-31,64-95\t0\t\tN/A\n"
    "GPU2\tNV12\tNV12\t X \tNV12\tSYS\tSYS\tPHB\t32-63\t1\t\tN/A\n"
    "GPU3\tNV12\tNV12\tNV12\t X \tSYS\tSYS\tNODE\t32-63\t1\t\tN/A\n"
    "NIC0\tPIX\tPXB\tSYS\tSYS\t X \tNODE\tSYS\t\t\t\t\n"
    "NIC1\tNODE\tNODE\tSYS\tSYS\tNODE\t X \tSYS\t\t\t\t\n"
    "NIC2\tSYS\tSYS\tPHB\tNODE\tSYS\tSYS\t X \t\t\t\t\n"
    "\nLegend:\n\n  X    = Self\n  NV#  = Connection traversing a bonded set of # NVLinks\n"
    "\nNIC Legend:\n\n  NIC0: mlx5_0\n  NIC1: mlx5_1\n  NIC2: mlx5_bond_0\n\n";

// A mesh, with names of NICs as columns and aligned by blanks.
constexpr const char* kMesh =
    "        GPU0    GPU1    GPU2    mlx5_0  CPU Affinity\n"
    "GPU0     X      NV1     NV2     PIX     0-19\n"
    "GPU1    NV1      X      SOC     SYS     20-39\n"
    "GPU2    NV2     SOC      X      PHB     0-19\n"
    "mlx5_0  PIX     SYS     PHB      X \n";

std::string error_of(const std::string& text) {
  const auto graph = read_nvidia_smi(text, {});
  return graph ? "no error" : graph.error().detail;
}

std::string error_with(const std::string& from, const std::string& to) {
  std::string text = kMesh;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return error_of(text.replace(at, from.size(), to));
}

// "gpu0-nvswitch x12", without the host.
std::string fmt_link(const Graph& graph, const Link& link) {
  const auto name = [&](NodeIndex index) {
    return graph.node(index).name.substr(graph.node(index).host.size() + 1);
  };
  std::string text = name(link.from) + "-" + name(link.to);
  if (link.kind == LinkKind::nvlink) text += " x" + std::to_string(link.count);
  return text + " ";
}

// Each pair of directions once.
std::string links_of(const Graph& graph, LinkKind kind) {
  std::string text;
  for (const Link& link : graph.links()) {
    if (link.kind != kind || link.from > link.to) continue;
    text += fmt_link(graph, link);
  }
  return text;
}

TEST(NvidiaSmi, GpusOnSwitches) {
  const Graph graph = read_nvidia_smi(kSwitched, {.host = "h"}).value();
  EXPECT_EQ(links_of(graph, LinkKind::nvlink),
            "gpu0-nvswitch x12 gpu1-nvswitch x12 gpu2-nvswitch x12 gpu3-nvswitch x12 ");
  EXPECT_EQ(links_of(graph, LinkKind::pcie),
            "gpu0-pci/pix0 gpu1-pci/pxb0 gpu2-pci/phb0 gpu3-cpu1 nic/mlx5_0-pci/pix0 "
            "nic/mlx5_1-cpu0 nic/mlx5_bond_0-pci/phb0 pci/pix0-pci/pxb0 pci/pxb0-cpu0 "
            "pci/phb0-cpu1 ");
  EXPECT_EQ(links_of(graph, LinkKind::smp), "cpu0-cpu1 ");
  const Node& gpu = graph.node(*graph.find("h/gpu2"));
  EXPECT_EQ(gpu.host, "h");
  EXPECT_EQ(gpu.attribute("cpus"), "32-63");
  EXPECT_EQ(gpu.attribute("numa"), "1");
  for (const Link& link : graph.links()) {
    if (link.kind != LinkKind::nvlink) continue;
    EXPECT_EQ(link.bandwidth, 25'000'000'000u);
    EXPECT_EQ(link.provenance, Provenance::assumed);
  }
}

TEST(NvidiaSmi, MeshesOfGpus) {
  const Graph graph = read_nvidia_smi(kMesh, {.host = "h"}).value();
  EXPECT_EQ(links_of(graph, LinkKind::nvlink), "gpu0-gpu1 x1 gpu0-gpu2 x2 ");
  EXPECT_EQ(links_of(graph, LinkKind::pcie),
            "gpu0-pci/pix0 gpu1-cpu1 gpu2-pci/phb0 nic/mlx5_0-pci/pix0 pci/pix0-pci/phb0 "
            "pci/phb0-cpu0 ");
  EXPECT_EQ(graph.node(*graph.find("h/cpu1")).provenance, Provenance::assumed);
}

// Two generations have GPUs of 18 links, at 25 and at 50 GB/s.
TEST(NvidiaSmi, TheRateOf18LinksIsNotKnown) {
  const Graph graph =
      read_nvidia_smi("\tGPU0\tGPU1\nGPU0\t X \tNV18\nGPU1\tNV18\t X \n", {}).value();
  EXPECT_EQ(links_of(graph, LinkKind::nvlink), "gpu0-gpu1 x18 ");
  for (const Link& link : graph.links()) {
    EXPECT_EQ(link.bandwidth, 0u);
  }
}

TEST(NvidiaSmi, IsWrittenAsItWasRead) {
  const Graph graph = read_nvidia_smi(kSwitched, {}).value();
  const std::string text = write_nvidia_smi(graph).value();
  std::string expected = kSwitched;
  expected.erase(expected.find("\x1b[4m"), 4);
  expected.erase(expected.find("\x1b[0m"), 4);
  const auto rows = [](std::string_view all) {
    std::string result;
    for (size_t at = 0; at < all.size() && all[at] != '\n';) {
      const size_t end = all.find('\n', at);
      std::string_view line = all.substr(at, end - at);
      while (line.ends_with('\t')) line.remove_suffix(1);
      result += std::string(line) + "\n";
      at = end + 1;
    }
    return result;
  };
  EXPECT_EQ(rows(text), rows(expected));
  EXPECT_NE(text.find("  NIC2: mlx5_bond_0\n"), std::string::npos);
  const Graph again = read_nvidia_smi(text, {}).value();
  EXPECT_EQ(again.hash(), graph.hash());
}

TEST(NvidiaSmi, MachinesFromOtherFormats) {
  const auto text = testing::read_test_data("topologies/nccl-xml/oci-H100-topology.xml");
  if (!text) GTEST_SKIP() << testing::kNoTestData;
  const std::string matrix = write_nvidia_smi(read_nccl_xml(*text, {}).value()).value();
  const std::string row = matrix.substr(matrix.find("\nGPU0\t") + 1);
  EXPECT_EQ(
      row.substr(0, row.find('\n')),
      "GPU0\t X \tNV18\tNV18\tNV18\tNV18\tNV18\tNV18\tNV18\tPXB\tPXB\tNODE\tNODE\tNODE\tNODE\t"
      "NODE\tNODE\tSYS\tSYS\tSYS\tSYS\tSYS\tSYS\tSYS\tSYS\tN/A\t0\t\tN/A");
  EXPECT_NE(matrix.find("\nNIC0\tPXB\tNODE\tNODE\tNODE\tSYS\tSYS\tSYS\tSYS\t X \tPIX\tNODE"),
            std::string::npos)
      << matrix;
}

TEST(NvidiaSmi, BadMatricesAreAnsweredWithTheLine) {
  EXPECT_EQ(error_of(""), "expected a line of columns GPU0, GPU1, ..., found none");
  EXPECT_EQ(error_of("a\nb\n"), "line 2: expected a line of columns GPU0, GPU1, ..., found none");
  EXPECT_EQ(error_with("NV2     SOC", "NV2     FOO"),
            "line 4, GPU2: expected NV#, PIX, PXB, PHB, NODE or SYS in column GPU1, found 'FOO'");
  EXPECT_EQ(error_with("NV2     SOC", "NV3     SOC"),
            "line 4, GPU2: expected 'NV2' in column GPU0 as in line 2, found 'NV3'");
  EXPECT_EQ(error_with("NV2     SOC", "NV-2    SOC"),
            "line 4, GPU2: expected NV#, PIX, PXB, PHB, NODE or SYS in column GPU0, found 'NV-2'");
  EXPECT_EQ(error_with("NV2     SOC", "NV99999 SOC"),
            "line 4, GPU2: expected NV#, PIX, PXB, PHB, NODE or SYS in column GPU0, found "
            "'NV99999'");
  EXPECT_EQ(error_with(" X      SOC", "SYS     SOC"),
            "line 3, GPU1: expected X in column GPU1, found 'SYS'");
  EXPECT_EQ(error_with("mlx5_0  PIX     SYS     PHB      X ", "mlx5_0  PIX     SYS     PHB"),
            "line 5, mlx5_0: expected 4 cells, found 3");
  EXPECT_EQ(error_with("mlx5_0  PIX     SYS", "mlx5_0  NV2     SYS"),
            "line 5, mlx5_0: expected NVLinks between GPUs only, found 'NV2' in column GPU0");
  EXPECT_EQ(error_with("mlx5_0  PIX     SYS     PHB      X ", ""),
            "expected a row of 'mlx5_0', found none");
  EXPECT_EQ(error_with("GPU2    mlx5_0", "GPU2    GPU2  "),
            "line 1: expected one column 'GPU2', found two");
  EXPECT_EQ(error_with("GPU1    NV1 ", "GPU0    NV1 "),
            "line 3, GPU0: expected one row, found another in line 2");
  EXPECT_EQ(error_with("0-19", "0-19    x"), "line 2, GPU0: expected a NUMA node, found 'x'");
  std::string wide = "GPU0";
  for (int i = 1; i < 2000; ++i) wide += " GPU" + std::to_string(i);
  EXPECT_EQ(error_of(wide), "line 1: expected at most 1024 columns");
}

TEST(NvidiaSmi, HoldsOneMachine) {
  EXPECT_EQ(write_nvidia_smi(Graph()).error().detail,
            "the matrix of nvidia-smi holds one machine, the graph has 0");
}

TEST(NvidiaSmi, IsRecognised) {
  for (const char* text : {kSwitched, kMesh}) EXPECT_EQ(recognise(text)->name, "nvidia-smi");
}

}  // namespace
}  // namespace unirack
