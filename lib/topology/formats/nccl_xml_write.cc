#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <unordered_map>

#include "lib/base/hash.h"
#include "lib/topology/formats/nccl_tree.h"
#include "lib/topology/formats/nccl_xml.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/formats/xml_writer.h"
#include "lib/topology/rates.h"

namespace unirack {

namespace {

constexpr std::string_view kSwitchClass = "0x068000";
constexpr std::string_view kCpuClass = "0x068001";
constexpr std::string_view kAnySwitch = "ffff:ff:ff.0";  // chips are not told apart

// The order of attributes that NCCL's own files have.
constexpr std::string_view kOrder =
    "version host_hash numaid affinity busid class vendor device subsystem_vendor subsystem_device "
    "link_speed link_width name dev sm gcn arch familyid modelid rank target bw count tclass speed "
    "port latency guid maxconn gdr coll rail plane";

bool is_amd(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [](const Node& node) { return !node.attribute("gcn").empty(); }) ||
         std::any_of(graph.links().begin(), graph.links().end(),
                     [](const Link& link) { return link.kind == LinkKind::xgmi; });
}

// The architecture whose links have that rate; "" where none has.
std::string_view gcn_of(uint64_t bandwidth) {
  for (const std::string_view gcn : {"gfx908", "gfx90a", "gfx942", "gfx950"}) {
    if (xgmi_bandwidth(gcn) == bandwidth) return gcn;
  }
  return "";
}

int capability_of(const Link& nvlink) {
  if (nvlink.bandwidth == nvlink_bandwidth(90)) {
    return nvlink.count >= 18 ? 90 : nvlink.count >= 12 ? 80 : 70;
  }
  for (const int capability : {60, 86, 100}) {
    if (nvlink_bandwidth(capability) == nvlink.bandwidth) return capability;
  }
  return 0;
}

bool has_key(const Node& node, std::string_view key) {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [&](const auto& each) { return each.first == key; });
}

class NcclWriter {
 public:
  explicit NcclWriter(const Graph& graph)
      : graph_(graph), gpus_(gpus_by_bus(graph)), amd_(is_amd(graph)) {}

  Result<std::string> write();

 private:
  void put_host(const NcclHost& host);
  void put_cpu(const NcclHost& host, const NcclItem& item);
  void put_item(const NcclHost& host, const NcclItem& item);
  void put_children(const NcclHost& host, const NcclItem& item);
  void put_pci(const NcclItem& item);
  void put_link(const NcclItem& item, const Node* node);
  void put_gpu(const NcclItem& item);
  void put_nvlinks(const NcclItem& item);
  void put_net(const NcclItem& item);
  void put_twins(const Node& node);
  std::string_view class_of(const NcclItem& item) const;

  // The attributes that the reader kept: those under their own name, then "PREFIX.NAME".
  void put_kept(const Node& node, std::span<const std::string_view> names, std::string_view prefix);

  const Graph& graph_;
  const GpusByBus gpus_;
  bool amd_;
  bool several_hosts_ = false;
  std::unordered_map<NodeIndex, std::string> busids_;  // of GPUs, made-up ones too
  XmlWriter xml_{words_of(kOrder)};
};

void NcclWriter::put_kept(const Node& node, std::span<const std::string_view> names,
                          std::string_view prefix) {
  for (const std::string_view name : names) {
    // Values at their default are kept too, so an empty one is found by its key.
    for (const auto& [key, value] : node.attributes) {
      if (key == name && !xml_.has(name)) xml_.attribute(name, value);
    }
  }
  const std::string start = std::string(prefix) + ".";
  for (const auto& [key, value] : node.attributes) {
    if (!key.starts_with(start)) continue;
    const std::string_view name = std::string_view(key).substr(start.size());
    if (!xml_.has(name)) xml_.attribute(name, value);
  }
}

std::string_view NcclWriter::class_of(const NcclItem& item) const {
  if (!item.node) return "0x060400";
  const Node& node = graph_.node(*item.node);
  if (!node.attribute("class").empty()) return node.attribute("class");
  if (node.kind == NodeKind::gpu) return amd_ ? "0x038000" : "0x030200";
  if (node.kind != NodeKind::nic) return "0x060400";
  const auto links = graph_.links_from(*item.node);
  const bool ethernet = std::any_of(links.begin(), links.end(), [&](LinkIndex link) {
    return graph_.link(link).kind == LinkKind::ethernet;
  });
  return ethernet ? "0x020000" : "0x020700";
}

// The rate towards the parent: as it was read where that is still so, else in PCIe's own steps.
void NcclWriter::put_link(const NcclItem& item, const Node* node) {
  if (node != nullptr && has_key(*node, "link_speed") && has_key(*node, "link_width") &&
      says_rate(node->attribute("link_speed"), node->attribute("link_width"), item.bandwidth)) {
    return;  // put_kept writes them
  }
  const auto [speed, width] = pci_steps_of(item.bandwidth);
  xml_.attribute("link_speed", speed);
  xml_.attribute("link_width", std::to_string(width));
}

void NcclWriter::put_pci(const NcclItem& item) {
  const Node* node = item.node ? &graph_.node(*item.node) : nullptr;
  xml_.open("pci");
  xml_.attribute("busid", item.busid);
  xml_.attribute("class", class_of(item));
  put_link(item, node);
  if (node != nullptr) put_kept(*node, kNcclPciNames, "pci");
}

void NcclWriter::put_nvlinks(const NcclItem& item) {
  const NvlinkTargets targets = nvlink_targets_of(graph_, *item.node);
  const std::string_view element = amd_ ? "xgmi" : "nvlink";
  const auto put = [&](std::string_view target, std::string_view count, std::string_view type) {
    xml_.open(element);
    xml_.attribute("target", target);
    xml_.attribute("count", count);
    xml_.attribute("tclass", type);
    xml_.close();
  };
  const std::string_view kept = graph_.node(*item.node).attribute("nvlinks");
  if (!kept.empty() && targets == nvlink_targets_from(gpus_, graph_.node(*item.node).host, kept)) {
    for (const std::string_view each : words_of(kept)) {
      const auto parts = split(each, ',');
      put(parts[0], parts[1], parts[2]);
    }
  } else {
    if (targets.to_switch > 0) put(kAnySwitch, std::to_string(targets.to_switch), kSwitchClass);
    if (targets.to_cpu > 0) put(kAnySwitch, std::to_string(targets.to_cpu), kCpuClass);
    for (const auto& [peer, count] : targets.to_gpus) {
      const Node& node = graph_.node(peer);
      const std::string_view type = node.attribute("class");
      put(busids_[peer], std::to_string(count),
          !type.empty() ? type
          : amd_        ? "0x038000"
                        : "0x030200");
    }
  }
  for (const LinkIndex index : graph_.links_from(*item.node)) {
    const Link& link = graph_.link(index);
    if (link.kind != LinkKind::c2c || link.health == Health::down) continue;
    xml_.open("c2c");
    xml_.attribute("bw", std::to_string(link.bandwidth / 1'000'000));
    xml_.attribute("count", std::to_string(link.count));
    xml_.close();
  }
}

// Files that clouds ship name GPUs by their <pci> alone.
void NcclWriter::put_gpu(const NcclItem& item) {
  const Node& node = graph_.node(*item.node);
  const Link* fabric = nullptr;
  bool c2c = false;
  for (const LinkIndex index : graph_.links_from(*item.node)) {
    const Link& link = graph_.link(index);
    if (link.kind == LinkKind::nvlink || link.kind == LinkKind::xgmi) fabric = &link;
    c2c = c2c || link.kind == LinkKind::c2c;
  }
  const bool named = std::any_of(std::begin(kNcclGpuNames), std::end(kNcclGpuNames),
                                 [&](std::string_view name) { return has_key(node, name); });
  if (fabric == nullptr && !c2c && !named && node.rank < 0 && !item.is_function &&
      is_gpu_class(class_of(item))) {
    return;
  }
  xml_.open("gpu");
  if (node.attribute("dev").empty()) {  // not from such a file: what NCCL needs
    xml_.attribute("dev", std::to_string(item.number));
    const int capability = fabric != nullptr && !amd_ ? capability_of(*fabric) : 0;
    if (node.attribute("sm").empty() && capability > 0) {
      xml_.attribute("sm", std::to_string(capability));
    }
    if (amd_ && node.attribute("gcn").empty() && fabric != nullptr) {
      xml_.attribute("gcn", gcn_of(fabric->bandwidth));
    }
    if (node.attribute("gdr").empty()) xml_.attribute("gdr", "1");
  }
  if (node.rank >= 0) xml_.attribute("rank", std::to_string(node.rank));
  put_kept(node, kNcclGpuNames, "gpu");
  put_nvlinks(item);
  xml_.close();
}

void NcclWriter::put_net(const NcclItem& item) {
  const Node& node = graph_.node(*item.node);
  xml_.open("net");
  std::string_view name = node.attribute("net.name");
  if (name.empty()) name = name_of_port(node);
  xml_.attribute("name", name);
  const uint64_t bandwidth = network_bandwidth(graph_, *item.node);
  if (has_key(node, "speed_mbps")) {
    xml_.attribute("speed", node.attribute("speed_mbps"));
  } else if (bandwidth > 0) {
    xml_.attribute("speed", std::to_string(bandwidth / 125'000));
  }
  if (node.attribute("dev").empty()) {
    xml_.attribute("dev", std::to_string(item.number));
    if (node.attribute("port").empty()) xml_.attribute("port", "1");
    if (node.attribute("gdr").empty()) xml_.attribute("gdr", "1");
    if (node.rail >= 0) xml_.attribute("rail", std::to_string(node.rail));
  }
  put_kept(node, kNcclNetNames, "net");
  xml_.close();
  put_twins(node);
}

void NcclWriter::put_twins(const Node& node) {
  for (const std::string_view twin : {"gin", "rma"}) {
    if (node.attribute(fmt::format("{}.name", twin)).empty()) continue;
    xml_.open(twin);
    put_kept(node, {}, twin);
    xml_.close();
  }
}

void NcclWriter::put_children(const NcclHost& host, const NcclItem& item) {
  // Ports of one card stand in one <nic>; those of a cpu are told apart by their group.
  std::string open_group;
  bool open = false;
  const auto close = [&] {
    if (open) xml_.close();
    open = false;
  };
  for (const size_t child : item.children) {
    const NcclItem& each = host.items[child];
    if (!each.is_port) {
      close();
      put_item(host, each);
      continue;
    }
    const std::string group(graph_.node(*each.node).attribute("nic_group"));
    if (open && group != open_group) close();
    if (!open) xml_.open("nic");
    open = true;
    open_group = group;
    put_net(each);
  }
  close();
}

void NcclWriter::put_item(const NcclHost& host, const NcclItem& item) {
  const Node* node = item.node ? &graph_.node(*item.node) : nullptr;
  if (node != nullptr && node->kind == NodeKind::gpu && item.is_function) return put_gpu(item);
  put_pci(item);
  if (node != nullptr && node->kind == NodeKind::gpu) put_gpu(item);
  if (node != nullptr && node->kind == NodeKind::nic) {
    const bool network = has_network(graph_, *item.node);
    // Without it the class alone says what the device is.
    if (network || !class_of(item).starts_with("0x02")) {
      xml_.open("nic");
      if (network) put_net(item);
      xml_.close();
    }
  }
  put_children(host, item);
  if (node != nullptr) {
    for (const std::string_view target : words_of(node->attribute("pcilinks"))) {
      xml_.open("pcilink");
      xml_.attribute("target", target);
      xml_.close();
    }
  }
  xml_.close();
}

void NcclWriter::put_cpu(const NcclHost& host, const NcclItem& item) {
  const Node* node = item.node ? &graph_.node(*item.node) : nullptr;
  xml_.open("cpu");
  const std::string_view numa = node == nullptr ? "" : node->attribute("numa");
  xml_.attribute("numaid", numa.empty() ? std::to_string(item.number) : std::string(numa));
  if (several_hosts_ && (node == nullptr || node->attribute("host_hash").empty())) {
    const uint64_t hash = Hash64().add(std::string_view(host.name)).value();
    xml_.attribute("host_hash", fmt::format("{:#x}", hash));
  }
  if (node == nullptr || node->attribute("arch").empty()) {
    xml_.attribute("arch", host.has_c2c ? "arm64" : "x86_64");
  }
  if (node != nullptr) put_kept(*node, kNcclCpuNames, "cpu");
  // NCCL does not read on without them.
  for (const std::string_view name : {"vendor", "familyid", "modelid"}) {
    if (!xml_.has(name)) xml_.attribute(name, name == "vendor" ? "unknown" : "0");
  }
  put_children(host, item);
  xml_.close();
}

void NcclWriter::put_host(const NcclHost& host) {
  for (const NcclItem& item : host.items) {
    if (item.node) busids_.emplace(*item.node, item.busid);
    for (const size_t child : item.children) {
      const NcclItem& below = host.items[child];
      if (below.is_function) busids_.emplace(*below.node, item.busid);
    }
  }
  for (const size_t root : host.roots) put_cpu(host, host.items[root]);
}

Result<std::string> NcclWriter::write() {
  std::vector<NcclHost> hosts = nccl_hosts_of(graph_);
  if (hosts.empty()) {
    return make_error(Code::invalid_argument,
                      "the graph has no GPU, NIC or CPU that is in a host: NCCL's file holds "
                      "nothing else");
  }
  several_hosts_ = hosts.size() > 1;
  xml_.open("system");
  xml_.attribute("version", amd_ ? "2" : "1");
  for (const NcclHost& host : hosts) {
    const size_t before = xml_.element_count();
    put_host(host);
    const size_t count = xml_.element_count() - before + 1;
    if (count > kNcclElementsMax) {
      return make_error(Code::invalid_argument,
                        fmt::format("host {} needs {} XML elements: NCCL accepts at most {} of "
                                    "one host",
                                    shown(host.name), count, kNcclElementsMax));
    }
  }
  xml_.close();
  if (xml_.attribute_count_max() > kNcclAttributesMax) {
    return make_error(Code::invalid_argument,
                      fmt::format("an element needs {} attributes: at most {} can be read back",
                                  xml_.attribute_count_max(), kNcclAttributesMax));
  }
  return std::move(xml_).text();
}

}  // namespace

Result<std::string> write_nccl_xml(const Graph& graph) { return NcclWriter(graph).write(); }

}  // namespace unirack
