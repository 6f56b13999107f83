// GPUs: their NVLinks, their clique, their health, their racks, and how far their NICs are.
#include <fmt/format.h>

#include <optional>

#include "lib/topology/check/check_parts.h"
#include "lib/topology/natural_order.h"

namespace unirack {
namespace {

class GpuCheck {
 public:
  explicit GpuCheck(Checkup& checkup) : checkup_(checkup), graph_(checkup.graph) {}

  void run() {
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (node.kind != NodeKind::gpu) continue;
      gpus_.push_back(i);
      if (!node.host.empty()) by_host_[node.host].push_back(i);
      if (!node.rack.empty()) by_rack_[node.rack].push_back(i);
    }
    nvlinks();
    cliques();
    health();
    racks();
    distances();
    by_attribute(Severity::warning, "p2p_blocked", "p2p_blocked",
                 "cannot reach the memory of other GPUs of the machine",
                 "check ACS and IOMMU (below); in a virtual machine the hypervisor decides");
    by_attribute(Severity::info, "mig", "mig", "divided by MIG, and then use no NVLink",
                 "nvidia-smi -i GPU -mig 0 gives the whole GPU back");
  }

 private:
  static constexpr auto kCounted = [](const Link& link) {
    return link.kind == LinkKind::nvlink || link.kind == LinkKind::xgmi;
  };

  uint32_t live_links(NodeIndex gpu) const {
    uint32_t count = 0;
    for (const LinkIndex each : graph_.links_from(gpu)) {
      const Link& link = graph_.link(each);
      if (kCounted(link) && link.health != Health::down) count += link.count;
    }
    return count;
  }

  // Against the GPUs of the same host, and of the same domain where that is wider.
  void nvlinks() {
    std::map<std::string, std::vector<NodeIndex>> groups;
    for (const NodeIndex gpu : gpus_) {
      const Node& node = graph_.node(gpu);
      if (!node.attribute("mig").empty()) continue;
      groups[node.host.empty() ? node.domain : node.host].push_back(gpu);
    }
    std::vector<NodeIndex> none;
    std::vector<NodeIndex> fewer;
    std::vector<std::string> texts;
    for (const auto& [name, gpus] : groups) {
      std::map<uint32_t, size_t> counts;
      for (const NodeIndex gpu : gpus) ++counts[live_links(gpu)];
      const uint32_t usual = most_common(counts);
      for (const NodeIndex gpu : gpus) {
        const uint32_t live = live_links(gpu);
        const uint32_t lost = links_down(gpu);
        if (live == 0 && usual > 0) {
          none.push_back(gpu);
        } else if (lost > 0 || (live < usual && !is_mesh(gpu))) {
          fewer.push_back(gpu);
          texts.push_back(fmt::format("{} {} of {}", graph_.node(gpu).name, live,
                                      std::max(usual, live + lost)));
        }
      }
    }
    if (!none.empty()) {
      checkup_.add(Severity::error, "no_nvlink",
                   fmt::format("{} without NVLink beside others that have it: {}",
                               counted(none.size(), "GPU"), checkup_.names_of(none)),
                   "nvidia-smi nvlink -s -i GPU; is the fabric manager running: systemctl status "
                   "nvidia-fabricmanager",
                   none);
    }
    if (!fewer.empty()) {
      std::sort(texts.begin(), texts.end(), natural_less);
      checkup_.add(
          Severity::error, "fewer_nvlinks",
          fmt::format("{} lost NVLinks: {}",
                      fewer.size() == 1 ? "1 GPU has" : counted(fewer.size(), "GPU") + " have",
                      list_up(texts)),
          "nvidia-smi nvlink -s -i GPU names the links; nvidia-smi nvlink -e -i GPU "
          "counts their errors; reset the GPU",
          fewer);
    }
  }

  uint32_t links_down(NodeIndex gpu) const {
    uint32_t count = 0;
    for (const LinkIndex each : graph_.links_from(gpu)) {
      const Link& link = graph_.link(each);
      if (kCounted(link) && link.health == Health::down) count += link.count;
    }
    return count;
  }

  // In a mesh without switches GPUs may differ by design.
  bool is_mesh(NodeIndex gpu) const {
    for (const LinkIndex each : graph_.links_from(gpu)) {
      const Link& link = graph_.link(each);
      if (kCounted(link) && graph_.node(link.to).kind == NodeKind::nvswitch) return false;
    }
    return true;
  }

  // A rack is one domain where any domain of it is wider than a host.
  void cliques() {
    std::vector<NodeIndex> strangers;
    std::vector<std::string> racks;
    for (const auto& [rack, gpus] : by_rack_) {
      std::map<std::string, size_t> counts;
      std::map<std::string, std::set<std::string>> hosts;
      for (const NodeIndex gpu : gpus) {
        const Node& node = graph_.node(gpu);
        ++counts[node.domain];
        hosts[node.domain].insert(node.host);
      }
      const std::string usual = most_common(counts);
      if (usual.empty() || hosts[usual].size() < 2 || counts.size() < 2) continue;
      for (const NodeIndex gpu : gpus) {
        if (graph_.node(gpu).domain != usual) strangers.push_back(gpu);
      }
      racks.push_back(fmt::format("rack {} has clique {}", rack, usual));
    }
    if (strangers.empty()) return;
    checkup_.add(Severity::error, "wrong_clique",
                 fmt::format("{} not in the NVLink clique of the rack: {} ({})",
                             counted(strangers.size(), "GPU"), checkup_.names_of(strangers),
                             list_up(racks, 4)),
                 "nvidia-smi -q | grep -A4 Fabric on those hosts; restart nvidia-fabricmanager or "
                 "nvidia-imex there, or give them a partition in NMX",
                 strangers);
  }

  void health() {
    std::map<std::string, std::vector<NodeIndex>> by_fault;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (node.health == Health::ok || node.kind == NodeKind::nic) continue;
      const std::string_view faults = node.attribute("fabric_faults");
      const std::string what = node.health == Health::down ? "down" : "degraded";
      by_fault[faults.empty() ? what : fmt::format("{} ({})", what, faults)].push_back(i);
    }
    for (const auto& [fault, nodes] : by_fault) {
      const bool down = fault.starts_with("down");
      checkup_.add(down ? Severity::error : Severity::warning, down ? "down" : "degraded",
                   fmt::format("{}: {}", fault, checkup_.names_of(nodes)),
                   "nvidia-smi -q | grep -A8 Fabric shows the health that NVML reports", nodes);
    }
  }

  void racks() {
    std::map<size_t, size_t> counts;
    std::vector<std::string> texts;
    for (const auto& [rack, gpus] : by_rack_) {
      ++counts[gpus.size()];
      texts.push_back(fmt::format("{} {}", rack, gpus.size()));
    }
    if (counts.size() < 2) return;
    std::sort(texts.begin(), texts.end(), natural_less);
    checkup_.add(Severity::info, "unequal_racks",
                 fmt::format("{} have {} to {} GPUs: {}", counted(by_rack_.size(), "rack"),
                             counts.begin()->first, counts.rbegin()->first, list_up(texts, 16)),
                 "", {});
  }

  // The NUMA node that a device hangs from, over PCIe.
  std::optional<NodeIndex> cpu_above(NodeIndex device) const {
    std::vector<NodeIndex> reached = {device};
    std::set<NodeIndex> seen = {device};
    for (size_t i = 0; i < reached.size() && i < 64; ++i) {
      for (const LinkIndex each : graph_.links_from(reached[i])) {
        const Link& link = graph_.link(each);
        // What was placed by guess is no evidence.
        if (link.kind != LinkKind::pcie || link.provenance == Provenance::assumed) continue;
        const NodeKind kind = graph_.node(link.to).kind;
        if (kind == NodeKind::cpu) return link.to;
        if (kind == NodeKind::pcie && seen.insert(link.to).second) reached.push_back(link.to);
      }
    }
    return std::nullopt;
  }

  // Files list the NICs that carry messages; a machine has others beside them.
  static bool carries_messages(const Node& nic) {
    return nic.rail >= 0 || nic.attribute("rdma") == "yes" ||
           nic.provenance == Provenance::imported;
  }

  // GPUs whose NUMA node has no NIC for them, while others have.
  void distances() {
    std::map<std::string, std::set<NodeIndex>> cpus_with_nic;
    std::map<std::string, size_t> nic_counts;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (node.kind != NodeKind::nic || node.health == Health::down) continue;
      if (!carries_messages(node)) continue;
      if (const auto cpu = cpu_above(i)) {
        cpus_with_nic[node.host].insert(*cpu);
        ++nic_counts[node.host];
      }
    }
    std::map<std::string, std::set<NodeIndex>> cpus_with_gpu;
    std::vector<NodeIndex> far;
    for (const NodeIndex gpu : gpus_) {
      const auto cpu = cpu_above(gpu);
      const auto nics = cpus_with_nic.find(graph_.node(gpu).host);
      if (cpu) cpus_with_gpu[graph_.node(gpu).host].insert(*cpu);
      if (cpu && nics != cpus_with_nic.end() && !nics->second.contains(*cpu)) far.push_back(gpu);
    }
    if (far.empty()) return;
    // With fewer NICs than sockets it cannot be otherwise.
    const bool avoidable = std::any_of(nic_counts.begin(), nic_counts.end(), [&](const auto& host) {
      return host.second >= cpus_with_gpu[host.first].size();
    });
    checkup_.add(avoidable ? Severity::warning : Severity::info, "nic_on_other_numa",
                 fmt::format("{} whose NUMA node has no NIC: {}", counted(far.size(), "GPU"),
                             checkup_.names_of(far)),
                 "their traffic crosses the link between sockets: move a NIC to a slot of that "
                 "socket, or let other GPUs speak to the network",
                 far);
  }

  void by_attribute(Severity severity, const char* attribute, const char* name, const char* what,
                    const char* advice) {
    std::vector<NodeIndex> nodes;
    for (const NodeIndex gpu : gpus_) {
      if (!graph_.node(gpu).attribute(attribute).empty()) nodes.push_back(gpu);
    }
    if (nodes.empty()) return;
    const Node& first = graph_.node(nodes.front());
    checkup_.add(severity, name,
                 fmt::format("{} {}: {}; {}: {}", counted(nodes.size(), "GPU"), what,
                             checkup_.names_of(nodes), first.name, first.attribute(attribute)),
                 advice, nodes);
  }

  Checkup& checkup_;
  const Graph& graph_;
  std::vector<NodeIndex> gpus_;
  std::map<std::string, std::vector<NodeIndex>> by_host_;
  std::map<std::string, std::vector<NodeIndex>> by_rack_;
};

}  // namespace

void check_gpus(Checkup& checkup) { GpuCheck(checkup).run(); }

}  // namespace unirack
