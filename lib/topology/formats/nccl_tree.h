// A graph as NCCL's file has it: one tree of PCI a NUMA node, and what each end of it says. Used by
// the writer of that file. Pure; what is returned names nodes of the graph, which must outlive it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

// An element: <cpu>, <pci> with what is in it, or what stands in a <pci> beside others.
struct NcclItem {
  std::optional<NodeIndex> node;  // empty: made up, because the graph has none
  std::string busid;
  uint64_t bandwidth = 0;    // towards the parent
  int number = 0;            // NUMA node, GPU or port, counted from 0 in the host
  bool is_function = false;  // of the device that its parent is: without a <pci> of its own
  bool is_port = false;      // a <net> that stands in the parent's <nic>
  std::vector<size_t> children;
};

struct NcclHost {
  std::string name;
  bool has_c2c = false;
  std::vector<NcclItem> items;
  std::vector<size_t> roots;  // cpus
};

// Hosts by their first node; empty: nothing of the graph is in a machine.
std::vector<NcclHost> nccl_hosts_of(const Graph& graph);

// NVLinks (or xGMI) of a GPU that are not down, by where they lead.
struct NvlinkTargets {
  uint64_t to_switch = 0;
  uint64_t to_cpu = 0;
  std::map<NodeIndex, uint64_t> to_gpus;
  bool operator==(const NvlinkTargets&) const = default;
};
NvlinkTargets nvlink_targets_of(const Graph& graph, NodeIndex gpu);
// GPUs by host and bus id.
using GpusByBus = std::map<std::pair<std::string_view, std::string>, NodeIndex>;
GpusByBus gpus_by_bus(const Graph& graph);
// Of the reader's attribute "nvlinks".
NvlinkTargets nvlink_targets_from(const GpusByBus& gpus, std::string_view host,
                                  std::string_view kept);

bool is_gpu_class(std::string_view pci_class);

// Whether these are the words for that rate; of a rate that is not known any words are.
bool says_rate(std::string_view link_speed, std::string_view link_width, uint64_t bandwidth);
struct PciSteps {
  std::string_view speed;
  unsigned width;
};
// The generation and lanes next to that rate; ("", 0) where it is not known.
PciSteps pci_steps_of(uint64_t bandwidth);

// "mlx5_0" of "host/nic/mlx5_0".
std::string_view name_of_port(const Node& node);
// Of a port to its switches: the fastest link.
uint64_t network_bandwidth(const Graph& graph, NodeIndex port);
// Whether more is known of a port than that its PCI device exists.
bool has_network(const Graph& graph, NodeIndex port);

}  // namespace unirack
