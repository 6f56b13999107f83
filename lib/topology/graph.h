// What a machine or a whole fabric consists of: an immutable typed multigraph.
//
// Nodes are what bytes start at, end at or pass through; links are directed and say what is known
// of them and how it is known. Equal parallel links are one Link with a count. Node indices are
// dense and belong to one Graph; names are unique, and stay through export, import and merging.
// Built by GraphBuilder, which checks; a Graph is never wrong in itself and may be read from any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

enum class NodeKind : uint8_t {
  gpu,             // a member of collectives
  rank,            // a process on host memory, a member where there are no GPUs
  cpu,             // a NUMA node: its memory and the cores beside it
  pcie,            // root port, bridge or switch
  nvswitch,        // all switches of one NVLink (or xGMI) domain
  nic,             // one port of a network adapter
  leaf,            // the switch that NICs are plugged into
  spine,           // a switch that joins switches
  network_switch,  // a switch whose tier is not known
};
inline constexpr int kNodeKindCount = 9;

enum class LinkKind : uint8_t { nvlink, xgmi, c2c, pcie, smp, infiniband, ethernet, shared_memory };
inline constexpr int kLinkKindCount = 8;

enum class Health : uint8_t { ok, degraded, down };
inline constexpr int kHealthCount = 3;

// How a value is known, the most trustworthy first; merging keeps the first.
enum class Provenance : uint8_t {
  measured,
  nvml,
  sysfs,
  hwloc,
  imported,
  configured,
  assumed,  // a default of ours
};
inline constexpr int kProvenanceCount = 7;

// As written in files: "gpu", "shared_memory", "nvml"; `assumed` is written "default".
std::string_view to_text(NodeKind kind);
std::string_view to_text(LinkKind kind);
std::string_view to_text(Health health);
std::string_view to_text(Provenance provenance);
std::optional<NodeKind> node_kind_from(std::string_view text);
std::optional<LinkKind> link_kind_from(std::string_view text);
std::optional<Health> health_from(std::string_view text);
std::optional<Provenance> provenance_from(std::string_view text);

using NodeIndex = uint32_t;
using LinkIndex = uint32_t;

struct Node {
  NodeKind kind = NodeKind::network_switch;
  std::string name;    // unique; parts from wide to narrow, as in "rack2/tray05/gpu3"
  std::string host;    // the machine (operating system) it is in; empty outside of machines
  std::string rack;    // empty: not known
  std::string domain;  // load/store domain by name (NVLink clique, box); empty: not known
  int32_t rail = -1;   // NICs and leaves; counted from 0
  int32_t rank = -1;   // of the pool
  Health health = Health::ok;
  Provenance provenance = Provenance::imported;
  bool reduces = false;  // a switch that multicasts and sums
  // More for people and exports, sorted by key: "pci" (bus id), "model", "guid", "numa".
  std::vector<std::pair<std::string, std::string>> attributes;
  // Fields that are known otherwise than `provenance` says, sorted: "rack", "attributes/pci".
  // Left by merging, so that a graph can be merged again.
  std::vector<std::pair<std::string, Provenance>> known_by;

  // The value of an attribute; empty: there is none.
  std::string_view attribute(std::string_view key) const;
  void set_attribute(std::string key, std::string value);
};

struct Link {
  NodeIndex from = 0;
  NodeIndex to = 0;
  LinkKind kind = LinkKind::pcie;
  uint64_t bandwidth = 0;   // bytes/s of one, in this direction; 0: not known, limits nothing
  uint64_t capable = 0;     // bytes/s it could be trained to; 0: not known
  uint32_t latency_ns = 0;  // 0: not known
  uint32_t count = 1;       // equal parallel links
  Health health = Health::ok;
  Provenance provenance = Provenance::imported;

  // Of all of them together; nothing passes a link that is down.
  uint64_t total_bandwidth() const { return health == Health::down ? 0 : bandwidth * count; }
  bool limits() const { return bandwidth > 0 || health == Health::down; }
};

// Names with these lengths, and graphs up to this size; importers stay within.
inline constexpr size_t kGraphNameMax = 512;        // also host, rack, domain and keys
inline constexpr size_t kGraphAttributesMax = 128;  // of a node
inline constexpr size_t kGraphValueMax = 4096;      // bytes of an attribute's value
inline constexpr size_t kGraphNodesMax = 1'000'000;
inline constexpr size_t kGraphLinksMax = 8'000'000;
inline constexpr uint64_t kBandwidthMax = uint64_t{1} << 60;  // bytes/s of parallel links together

class Graph {
 public:
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Link>& links() const { return links_; }
  const Node& node(NodeIndex index) const { return nodes_[index]; }
  const Link& link(LinkIndex index) const { return links_[index]; }
  // Ascending by the node at the other end.
  std::span<const LinkIndex> links_from(NodeIndex index) const { return out_.of(index); }
  std::span<const LinkIndex> links_to(NodeIndex index) const { return in_.of(index); }
  std::optional<NodeIndex> find(std::string_view name) const;
  // Who takes part in collectives: all GPUs, or all ranks where there is no GPU; those that are
  // down do not.
  const std::vector<NodeIndex>& members() const { return members_; }
  // Where it comes from, for people: "nccl-xml topo.xml".
  const std::string& origin() const { return origin_; }
  // Equal for graphs of equal nodes and links, in whatever order they were added and however they
  // are known.
  uint64_t hash() const { return hash_; }

 private:
  friend class GraphBuilder;

  Status index_names();
  void index_links();
  void find_members();
  void set_hash();

  // Links by one of their ends.
  struct Index {
    std::vector<uint32_t> first;  // by node, and one past the end
    std::vector<LinkIndex> links;
    std::span<const LinkIndex> of(NodeIndex node) const {
      return std::span(links).subspan(first[node], first[node + 1] - first[node]);
    }
  };

  std::vector<Node> nodes_;
  std::vector<Link> links_;
  Index out_;
  Index in_;
  std::vector<NodeIndex> members_;
  std::vector<NodeIndex> by_name_;  // ascending
  std::string origin_;
  uint64_t hash_ = 0;
};

class GraphBuilder {
 public:
  GraphBuilder() = default;
  // Begins with a copy of all of `graph`, indices included.
  explicit GraphBuilder(const Graph& graph);

  // Adds a node; one of the same name must not exist.
  Result<NodeIndex> add(Node node);
  // The node of that name, added as given if there is none.
  Result<NodeIndex> find_or_add(Node node);
  std::optional<NodeIndex> find(std::string_view name) const;
  Node& node(NodeIndex index) { return nodes_[index]; }
  std::vector<Link>& links() { return links_; }
  size_t node_count() const { return nodes_.size(); }

  // One direction. The ends must exist.
  void connect(const Link& link) { links_.push_back(link); }
  // Both directions, alike.
  void join(Link link);

  // Sorts attributes, joins equal parallel links, checks, and freezes. The builder is empty
  // afterwards.
  Result<Graph> build(std::string origin) &&;

 private:
  Status finish_nodes();
  Status check_ends() const;
  Status check_links() const;
  Status join_parallel();

  std::vector<Node> nodes_;
  std::vector<Link> links_;
  std::unordered_map<std::string, NodeIndex> by_name_;
};

}  // namespace unirack
