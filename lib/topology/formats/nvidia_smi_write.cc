#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/topology/formats/nccl_tree.h"
#include "lib/topology/formats/nvidia_smi.h"
#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

constexpr std::string_view kLegend = R"(
Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes (e.g., QPI/UPI)
  NODE = Connection traversing PCIe as well as the interconnect between PCIe Host Bridges within a NUMA node
  PHB  = Connection traversing PCIe as well as a PCIe Host Bridge (typically the CPU)
  PXB  = Connection traversing multiple PCIe bridges (without traversing the PCIe Host Bridge)
  PIX  = Connection traversing at most a single PCIe bridge
  NV#  = Connection traversing a bonded set of # NVLinks
)";

class SmiWriter {
 public:
  SmiWriter(const Graph& graph, const NcclHost& host) : graph_(graph), host_(host) {}

  std::string write();

 private:
  void find_parents();
  std::string cell(size_t a, size_t b) const;
  SmiRelation relation(size_t a, size_t b) const;
  uint64_t nvlinks(NodeIndex a, NodeIndex b) const;
  // Towards the NUMA node, whose item is the last.
  std::vector<size_t> way_up(size_t item) const;
  std::string affinity(NodeIndex gpu, size_t item) const;
  const Node& node(size_t item) const { return graph_.node(*host_.items[item].node); }

  const Graph& graph_;
  const NcclHost& host_;
  std::vector<std::optional<size_t>> parents_;
  std::vector<size_t> gpus_;   // items
  std::vector<size_t> ports_;  // items
};

void SmiWriter::find_parents() {
  parents_.resize(host_.items.size());
  for (size_t i = 0; i < host_.items.size(); ++i) {
    for (const size_t child : host_.items[i].children) parents_[child] = i;
    if (!host_.items[i].node) continue;
    if (node(i).kind == NodeKind::gpu) gpus_.push_back(i);
    if (node(i).kind == NodeKind::nic) ports_.push_back(i);
  }
  const auto by_node = [&](size_t a, size_t b) {
    return *host_.items[a].node < *host_.items[b].node;
  };
  std::sort(gpus_.begin(), gpus_.end(), by_node);
  std::sort(ports_.begin(), ports_.end(), by_node);
}

std::vector<size_t> SmiWriter::way_up(size_t item) const {
  std::vector<size_t> way;
  auto up = parents_[item];
  // The card of a port is no bridge.
  if (up && host_.items[item].is_function) up = parents_[*up];
  for (; up; up = parents_[*up]) way.push_back(*up);
  return way;
}

SmiRelation SmiWriter::relation(size_t a, size_t b) const {
  const std::vector<size_t> from_a = way_up(a);
  const std::vector<size_t> from_b = way_up(b);
  for (size_t i = 0; i < from_a.size(); ++i) {
    const auto common = std::find(from_b.begin(), from_b.end(), from_a[i]);
    if (common == from_b.end()) continue;
    const bool is_cpu = i + 1 == from_a.size();
    if (is_cpu) return SmiRelation::node;
    const auto& bridge = host_.items[from_a[i]].node;
    if (bridge && graph_.node(*bridge).name.find("/pci/phb") != std::string::npos) {
      return SmiRelation::phb;
    }
    return i == 0 && common == from_b.begin() ? SmiRelation::pix : SmiRelation::pxb;
  }
  return SmiRelation::sys;
}

// Direct ones, else through a switch that both are on: the fewer of both.
uint64_t SmiWriter::nvlinks(NodeIndex a, NodeIndex b) const {
  const NvlinkTargets from_a = nvlink_targets_of(graph_, a);
  const auto direct = from_a.to_gpus.find(b);
  if (direct != from_a.to_gpus.end()) return direct->second;
  return std::min(from_a.to_switch, nvlink_targets_of(graph_, b).to_switch);
}

std::string SmiWriter::cell(size_t a, size_t b) const {
  if (a == b) return " X ";
  if (node(a).kind == NodeKind::gpu && node(b).kind == NodeKind::gpu) {
    const uint64_t count = nvlinks(*host_.items[a].node, *host_.items[b].node);
    if (count > 0) return fmt::format("NV{}", count);
  }
  static constexpr std::array kNames = {"X", "PIX", "PXB", "PHB", "NODE", "SYS"};
  return kNames[static_cast<size_t>(relation(a, b))];
}

std::string SmiWriter::affinity(NodeIndex gpu, size_t item) const {
  std::string_view cpus = graph_.node(gpu).attribute("cpus");
  std::string_view numa = graph_.node(gpu).attribute("numa");
  const std::vector<size_t> way = way_up(item);
  if (!way.empty() && host_.items[way.back()].node) {
    const Node& cpu = node(way.back());
    if (cpus.empty()) cpus = cpu.attribute("cpus");
    if (numa.empty() && cpu.provenance != Provenance::assumed) numa = cpu.attribute("numa");
  }
  return fmt::format("{}\t{}\t\tN/A", cpus.empty() ? "N/A" : cpus, numa.empty() ? "N/A" : numa);
}

std::string SmiWriter::write() {
  find_parents();
  std::vector<size_t> all = gpus_;
  all.insert(all.end(), ports_.begin(), ports_.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < gpus_.size(); ++i) names.push_back(fmt::format("GPU{}", i));
  for (size_t i = 0; i < ports_.size(); ++i) names.push_back(fmt::format("NIC{}", i));
  std::string text;
  for (const std::string& name : names) text += "\t" + name;
  text += "\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\n";
  for (size_t a = 0; a < all.size(); ++a) {
    text += names[a];
    for (const size_t b : all) text += "\t" + cell(all[a], b);
    if (a < gpus_.size()) text += "\t" + affinity(*host_.items[all[a]].node, all[a]);
    text += "\n";
  }
  text += kLegend;
  if (!ports_.empty()) text += "\nNIC Legend:\n\n";
  for (size_t i = 0; i < ports_.size(); ++i) {
    text += fmt::format("  NIC{}: {}\n", i, name_of_port(node(ports_[i])));
  }
  return text;
}

}  // namespace

Result<std::string> write_nvidia_smi(const Graph& graph) {
  constexpr size_t kDevicesMax = 1024;
  const std::vector<NcclHost> hosts = nccl_hosts_of(graph);
  if (hosts.size() != 1) {
    return make_error(
        Code::invalid_argument,
        fmt::format("the matrix of nvidia-smi holds one machine, the graph has {}", hosts.size()));
  }
  const auto count = std::count_if(
      graph.nodes().begin(), graph.nodes().end(),
      [](const Node& node) { return node.kind == NodeKind::gpu || node.kind == NodeKind::nic; });
  if (count == 0 || static_cast<size_t>(count) > kDevicesMax) {
    return make_error(Code::invalid_argument,
                      fmt::format("the matrix of nvidia-smi holds 1 to {} GPUs and ports, the "
                                  "graph has {}",
                                  kDevicesMax, count));
  }
  return SmiWriter(graph, hosts.front()).write();
}

}  // namespace unirack
