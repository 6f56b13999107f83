#include "lib/topology/graph.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

#include "lib/base/hash.h"

namespace unirack {

namespace {

constexpr std::array<std::string_view, kNodeKindCount> kNodeKinds = {
    "gpu", "rank", "cpu", "pcie", "nvswitch", "nic", "leaf", "spine", "switch"};
constexpr std::array<std::string_view, kLinkKindCount> kLinkKinds = {
    "nvlink", "xgmi", "c2c", "pcie", "smp", "infiniband", "ethernet", "shared_memory"};
constexpr std::array<std::string_view, kHealthCount> kHealths = {"ok", "degraded", "down"};
constexpr std::array<std::string_view, kProvenanceCount> kProvenances = {
    "measured", "nvml", "sysfs", "hwloc", "imported", "configured", "default"};

template <class Enum, size_t N>
std::optional<Enum> find_text(const std::array<std::string_view, N>& texts, std::string_view text) {
  const auto found = std::find(texts.begin(), texts.end(), text);
  if (found == texts.end()) return std::nullopt;
  return static_cast<Enum>(found - texts.begin());
}

Error bad(const std::string& why) { return make_error(Code::invalid_argument, why); }

uint64_t hash_node(const Node& node) {
  Hash64 hash;
  hash.add(std::string_view(node.name)).add(static_cast<uint64_t>(node.kind));
  hash.add(std::string_view(node.host)).add(std::string_view(node.rack));
  hash.add(std::string_view(node.domain)).add(static_cast<uint64_t>(int64_t{node.rail}));
  hash.add(static_cast<uint64_t>(int64_t{node.rank})).add(static_cast<uint64_t>(node.health));
  hash.add(uint64_t{node.reduces});
  for (const auto& [key, value] : node.attributes) {
    hash.add(std::string_view(key)).add(std::string_view(value));
  }
  return hash.value();
}

// Each of the parallel links counts: those that are equal but known otherwise are not joined.
uint64_t hash_link(const Link& link, uint64_t from, uint64_t to) {
  return uint64_t{link.count} * Hash64()
                                    .add(from)
                                    .add(to)
                                    .add(static_cast<uint64_t>(link.kind))
                                    .add(link.bandwidth)
                                    .add(link.capable)
                                    .add(uint64_t{link.latency_ns})
                                    .add(static_cast<uint64_t>(link.health))
                                    .value();
}

Status check_name(const Node& node) {
  if (!node.name.empty() && node.name.size() <= kGraphNameMax) return ok_status();
  return bad("a node's name has " + std::to_string(node.name.size()) + " bytes: expected 1 to " +
             std::to_string(kGraphNameMax));
}

Status check_node(const Node& node) {
  UNIRACK_TRY(check_name(node));
  const auto wrong = [&](const std::string& why) { return bad("node '" + node.name + "' " + why); };
  if (std::max({node.host.size(), node.rack.size(), node.domain.size()}) > kGraphNameMax) {
    return wrong("has a host, rack or domain of more than " + std::to_string(kGraphNameMax) +
                 " bytes");
  }
  if (node.rail < -1 || node.rank < -1) return wrong("has a negative rail or rank");
  if (node.attributes.size() > kGraphAttributesMax) {
    return wrong("has more than " + std::to_string(kGraphAttributesMax) + " attributes");
  }
  if (node.known_by.size() > 2 * kGraphAttributesMax) {
    return wrong("says of too many fields how they are known");
  }
  for (size_t i = 0; i < node.attributes.size(); ++i) {
    const auto& [key, value] = node.attributes[i];
    if (key.empty() || key.size() > kGraphNameMax || value.size() > kGraphValueMax) {
      return wrong("has an attribute whose key or value is too long or empty");
    }
    if (i > 0 && node.attributes[i - 1].first == key) {
      return wrong("has two attributes '" + key + "'");
    }
  }
  return ok_status();
}

// All but the count: what makes parallel links equal.
auto key_of(const Link& link) {
  return std::tuple(link.from, link.to, link.kind, link.bandwidth, link.capable, link.latency_ns,
                    link.health, link.provenance);
}

}  // namespace

std::string_view to_text(NodeKind kind) { return kNodeKinds[static_cast<size_t>(kind)]; }
std::string_view to_text(LinkKind kind) { return kLinkKinds[static_cast<size_t>(kind)]; }
std::string_view to_text(Health health) { return kHealths[static_cast<size_t>(health)]; }
std::string_view to_text(Provenance provenance) {
  return kProvenances[static_cast<size_t>(provenance)];
}
std::optional<NodeKind> node_kind_from(std::string_view text) {
  return find_text<NodeKind>(kNodeKinds, text);
}
std::optional<LinkKind> link_kind_from(std::string_view text) {
  return find_text<LinkKind>(kLinkKinds, text);
}
std::optional<Health> health_from(std::string_view text) {
  return find_text<Health>(kHealths, text);
}
std::optional<Provenance> provenance_from(std::string_view text) {
  return find_text<Provenance>(kProvenances, text);
}

std::string_view Node::attribute(std::string_view key) const {
  for (const auto& [each, value] : attributes) {
    if (each == key) return value;
  }
  return {};
}

void Node::set_attribute(std::string key, std::string value) {
  const auto at =
      std::lower_bound(attributes.begin(), attributes.end(), key,
                       [](const auto& each, const std::string& k) { return each.first < k; });
  if (at != attributes.end() && at->first == key) {
    at->second = std::move(value);
  } else {
    attributes.emplace(at, std::move(key), std::move(value));
  }
}

std::optional<NodeIndex> Graph::find(std::string_view name) const {
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [&](NodeIndex at, std::string_view key) { return nodes_[at].name < key; });
  if (found == by_name_.end() || nodes_[*found].name != name) return std::nullopt;
  return *found;
}

GraphBuilder::GraphBuilder(const Graph& graph) : nodes_(graph.nodes()), links_(graph.links()) {
  for (NodeIndex i = 0; i < nodes_.size(); ++i) by_name_.emplace(nodes_[i].name, i);
}

Result<NodeIndex> GraphBuilder::add(Node node) {
  UNIRACK_TRY(check_name(node));
  if (nodes_.size() >= kGraphNodesMax) {
    return bad("more than " + std::to_string(kGraphNodesMax) + " nodes");
  }
  const auto index = static_cast<NodeIndex>(nodes_.size());
  if (!by_name_.emplace(node.name, index).second) {
    return bad("two nodes are named '" + node.name + "'");
  }
  nodes_.push_back(std::move(node));
  return index;
}

Result<NodeIndex> GraphBuilder::find_or_add(Node node) {
  if (const auto found = find(node.name)) return *found;
  return add(std::move(node));
}

std::optional<NodeIndex> GraphBuilder::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

void GraphBuilder::join(Link link) {
  links_.push_back(link);
  std::swap(link.from, link.to);
  links_.push_back(link);
}

Status GraphBuilder::finish_nodes() {
  for (Node& node : nodes_) {
    std::sort(node.attributes.begin(), node.attributes.end());
    std::sort(node.known_by.begin(), node.known_by.end());
    UNIRACK_TRY(check_node(node));
  }
  return ok_status();
}

Status GraphBuilder::check_ends() const {
  if (links_.size() > kGraphLinksMax) {
    return bad("more than " + std::to_string(kGraphLinksMax) + " links");
  }
  for (const Link& link : links_) {
    if (link.from >= nodes_.size() || link.to >= nodes_.size()) {
      return bad("a link names a node that does not exist");
    }
  }
  return ok_status();
}

Status GraphBuilder::check_links() const {
  for (const Link& link : links_) {
    const auto wrong = [&](const char* why) {
      return bad("link from '" + nodes_[link.from].name + "' to '" + nodes_[link.to].name + "' " +
                 why);
    };
    if (link.from == link.to) return wrong("ends where it begins");
    if (link.count == 0) return wrong("has a count of 0");
    const uint64_t fastest = std::max(link.bandwidth, link.capable);
    uint64_t total = 0;
    if (__builtin_mul_overflow(fastest, uint64_t{link.count}, &total) || total > kBandwidthMax) {
      return wrong("is faster than 2^60 bytes/s");
    }
  }
  return ok_status();
}

// Sorted by ends; equal parallel links become one with a count.
Status GraphBuilder::join_parallel() {
  std::sort(links_.begin(), links_.end(),
            [](const Link& a, const Link& b) { return key_of(a) < key_of(b); });
  size_t kept = 0;
  for (const Link& link : links_) {
    if (kept == 0 || key_of(links_[kept - 1]) != key_of(link)) {
      links_[kept++] = link;
    } else if (__builtin_add_overflow(links_[kept - 1].count, link.count,
                                      &links_[kept - 1].count)) {
      return bad("more than 2^32 parallel links from '" + nodes_[link.from].name + "' to '" +
                 nodes_[link.to].name + "'");
    }
  }
  links_.resize(kept);
  return ok_status();
}

Result<Graph> GraphBuilder::build(std::string origin) && {
  UNIRACK_TRY(finish_nodes());
  UNIRACK_TRY(check_ends());
  UNIRACK_TRY(check_links());
  UNIRACK_TRY(join_parallel());
  UNIRACK_TRY(check_links());  // joined, they may be too fast
  Graph graph;
  graph.origin_ = std::move(origin);
  graph.nodes_ = std::move(nodes_);
  graph.links_ = std::move(links_);
  by_name_.clear();
  UNIRACK_TRY(graph.index_names());
  graph.index_links();
  graph.find_members();
  graph.set_hash();
  return graph;
}

// Who holds a builder may have renamed a node since it was added.
Status Graph::index_names() {
  by_name_.resize(nodes_.size());
  std::iota(by_name_.begin(), by_name_.end(), NodeIndex{0});
  std::sort(by_name_.begin(), by_name_.end(),
            [&](NodeIndex a, NodeIndex b) { return nodes_[a].name < nodes_[b].name; });
  const auto twin = std::adjacent_find(
      by_name_.begin(), by_name_.end(),
      [&](NodeIndex a, NodeIndex b) { return nodes_[a].name == nodes_[b].name; });
  if (twin == by_name_.end()) return ok_status();
  return bad("two nodes are named '" + nodes_[*twin].name + "'");
}

void Graph::index_links() {
  // Links are sorted by (from, to), so each node's stay in the order of the other end.
  const auto index_by = [&](NodeIndex Link::*end) {
    Index index;
    index.first.assign(nodes_.size() + 1, 0);
    for (const Link& link : links_) ++index.first[link.*end + 1];
    for (size_t i = 0; i < nodes_.size(); ++i) index.first[i + 1] += index.first[i];
    index.links.resize(links_.size());
    std::vector<uint32_t> next(index.first.begin(), index.first.end() - 1);
    for (LinkIndex i = 0; i < links_.size(); ++i) index.links[next[links_[i].*end]++] = i;
    return index;
  };
  out_ = index_by(&Link::from);
  in_ = index_by(&Link::to);
}

void Graph::find_members() {
  const bool has_gpu = std::any_of(nodes_.begin(), nodes_.end(),
                                   [](const Node& node) { return node.kind == NodeKind::gpu; });
  const NodeKind kind = has_gpu ? NodeKind::gpu : NodeKind::rank;
  for (NodeIndex i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].kind == kind && nodes_[i].health != Health::down) members_.push_back(i);
  }
}

// A sum over nodes and links, so that their order does not matter.
void Graph::set_hash() {
  std::vector<uint64_t> hashes;
  hashes.reserve(nodes_.size());
  uint64_t sum = 0;
  for (const Node& node : nodes_) sum += hashes.emplace_back(hash_node(node));
  for (const Link& link : links_) sum += hash_link(link, hashes[link.from], hashes[link.to]);
  hash_ = Hash64().add(sum).value();
}

}  // namespace unirack
