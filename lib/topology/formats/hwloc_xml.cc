#include "lib/topology/formats/hwloc_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "lib/topology/formats/hwloc_objects.h"
#include "lib/topology/formats/pci_text.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/rates.h"

namespace unirack {

namespace {

using pugi::xml_node;

// Compute capability by what the driver calls the GPU.
int capability_of(std::string_view model) {
  struct Known {
    std::string_view word;
    int capability;
  };
  static constexpr std::array kKnown = {Known{"P100", 60},  Known{"V100", 70},   Known{"A100", 80},
                                        Known{"A800", 80},  Known{"H100", 90},   Known{"H200", 90},
                                        Known{"H800", 90},  Known{"H20", 90},    Known{"GH200", 90},
                                        Known{"B200", 100}, Known{"GB200", 100}, Known{"B300", 100},
                                        Known{"A6000", 86}, Known{"A40", 86}};
  for (const Known& each : kKnown) {
    if (model.find(each.word) != std::string_view::npos) return each.capability;
  }
  return 0;
}

class HwlocReader {
 public:
  HwlocReader(const XmlFile& file, const HwlocObjects& objects, std::string host)
      : file_(file), objects_(objects), host_(std::move(host)) {}

  Result<Graph> read(const ReadOptions& options);

 private:
  Status add_cpus();
  Status add_devices();
  Status add_gpu(size_t pci);
  Status add_ports(size_t pci);
  Status add_port(size_t pci, const HwlocOsDevice& device, int64_t port, bool shared);
  Status add_matrix(const HwlocMatrix& matrix);
  Result<std::optional<NodeIndex>> end_of(xml_node object);

  // The bridges above a device become nodes where they join several. Gives the node above it, and
  // lowers `bandwidth` to the slowest link on the way.
  Result<NodeIndex> above(size_t pci, uint64_t& bandwidth);
  void count_devices();
  bool is_port_device(const HwlocPci& pci) const;
  void attach(NodeIndex node, NodeIndex parent, uint64_t bandwidth, bool sure = true) {
    builder_.join({.from = parent,
                   .to = node,
                   .kind = LinkKind::pcie,
                   .bandwidth = bandwidth,
                   .provenance = sure ? Provenance::hwloc : Provenance::assumed});
  }
  Node make(NodeKind kind, const std::string& name) const {
    return Node{.kind = kind,
                .name = fmt::format("{}/{}", host_, name),
                .host = host_,
                .provenance = Provenance::hwloc};
  }
  Result<NodeIndex> add(xml_node element, Node node);
  static void set(Node& node, const char* key, std::string_view value) {
    if (!value.empty()) node.set_attribute(key, std::string(value.substr(0, kGraphValueMax)));
  }

  const XmlFile& file_;
  const HwlocObjects& objects_;
  std::string host_;
  GraphBuilder builder_;
  std::vector<NodeIndex> cpus_;                  // by NUMA node
  std::vector<std::set<size_t>> devices_below_;  // by bridge: ways down that lead to devices
  std::vector<uint64_t> fastest_below_;
  std::vector<std::optional<NodeIndex>> nodes_;  // by PCI object
  std::unordered_map<size_t, NodeIndex> node_of_element_;
  std::unordered_map<size_t, NodeIndex> cpu_of_element_;  // of NUMA nodes and what they are in
  std::set<size_t> nvswitches_;                           // elements
  size_t gpu_count_ = 0;
};

Result<NodeIndex> HwlocReader::add(xml_node element, Node node) {
  const auto added = builder_.add(std::move(node));
  if (!added) return file_.error(element, added.error().detail);
  return *added;
}

Status HwlocReader::add_cpus() {
  const auto info = [&](const char* name) {
    const auto found = objects_.infos.find(name);
    return found == objects_.infos.end() ? std::string_view() : std::string_view(found->second);
  };
  const std::string_view vendor = info("CPUVendor");
  std::string_view architecture = info("Architecture");
  if (architecture.empty() && (vendor == "GenuineIntel" || vendor == "AuthenticAMD")) {
    architecture = "x86_64";
  }
  for (const HwlocNuma& numa : objects_.numas) {
    Node node = make(NodeKind::cpu, fmt::format("cpu{}", numa.index));
    node.set_attribute("numa", std::to_string(numa.index));
    set(node, "arch", architecture);
    set(node, "vendor", vendor);
    set(node, "familyid", info("CPUFamilyNumber"));
    set(node, "modelid", info("CPUModelNumber"));
    set(node, "model", info("CPUModel"));
    set(node, "memory_bytes", numa.element.attribute("local_memory").value());
    const xml_node where = numa.element ? numa.element : file_.root();
    cpus_.push_back(UNIRACK_TRY(add(where, std::move(node))));
    for (xml_node at = numa.element; at && at.parent() != file_.root(); at = at.parent()) {
      cpu_of_element_.emplace(at.hash_value(), cpus_.back());
    }
  }
  const uint64_t between =
      smp_bandwidth(architecture, vendor, number_from<int>(info("CPUFamilyNumber")).value_or(0),
                    number_from<int>(info("CPUModelNumber")).value_or(0));
  constexpr size_t kCpusMax = 1024;
  if (cpus_.size() > kCpusMax) {
    return file_.error(objects_.numas[kCpusMax].element,
                       fmt::format("expected at most {} NUMA nodes", kCpusMax));
  }
  for (size_t a = 0; a < cpus_.size(); ++a) {
    for (size_t b = a + 1; b < cpus_.size(); ++b) {
      builder_.join({.from = cpus_[a],
                     .to = cpus_[b],
                     .kind = LinkKind::smp,
                     .bandwidth = between,
                     .provenance = Provenance::assumed});
    }
  }
  return ok_status();
}

bool HwlocReader::is_port_device(const HwlocPci& pci) const {
  return pci.pci_class >> 8 == 0x02 &&
         std::any_of(pci.os_devices.begin(), pci.os_devices.end(),
                     [](const HwlocOsDevice& each) { return each.network || each.openfabrics; });
}

void HwlocReader::count_devices() {
  devices_below_.resize(objects_.pcis.size());
  fastest_below_.resize(objects_.pcis.size());
  for (size_t i = 0; i < objects_.pcis.size(); ++i) {
    const HwlocPci& pci = objects_.pcis[i];
    if (!pci.is_gpu() && !is_port_device(pci)) continue;
    size_t child = i;
    for (auto up = pci.parent; up; up = objects_.pcis[*up].parent) {
      devices_below_[*up].insert(child);
      fastest_below_[*up] = std::max(fastest_below_[*up], pci.bandwidth);
      child = *up;
    }
  }
}

Result<NodeIndex> HwlocReader::above(size_t pci, uint64_t& bandwidth) {
  for (auto up = objects_.pcis[pci].parent; up; up = objects_.pcis[*up].parent) {
    const HwlocPci& bridge = objects_.pcis[*up];
    uint64_t own = bridge.bandwidth;
    if (is_virtual_bridge(own, fastest_below_[*up])) own = 0;
    if (devices_below_[*up].size() < 2) {
      if (own > 0) bandwidth = bandwidth == 0 ? own : std::min(bandwidth, own);
      continue;
    }
    if (!nodes_[*up]) {
      Node node = make(NodeKind::pcie, "pci/" + bridge.busid);
      node.set_attribute("pci", bridge.busid);
      node.set_attribute("model", fmt::format("{:04x}:{:04x}", bridge.vendor, bridge.device));
      nodes_[*up] = UNIRACK_TRY(add(bridge.element, std::move(node)));
      const NodeIndex index = *nodes_[*up];
      attach(index, UNIRACK_TRY(above(*up, own)), own, bridge.numa_is_sure);
    }
    return *nodes_[*up];
  }
  return cpus_[objects_.pcis[pci].numa];
}

Status HwlocReader::add_gpu(size_t index) {
  const HwlocPci& pci = objects_.pcis[index];
  Node node = make(NodeKind::gpu, "");
  std::optional<uint32_t> number;
  for (const HwlocOsDevice& device : pci.os_devices) {
    set(node, "model", hwloc_info(device.element, "GPUModel"));
    set(node, "uuid", hwloc_info(device.element, "NVIDIAUUID"));
    for (const std::string_view start : {"nvml", "rsmi", "cuda"}) {
      if (!number && device.name.starts_with(start)) {
        number = number_from<uint32_t>(std::string_view(device.name).substr(start.size()));
      }
    }
  }
  // By the driver's number where there is one.
  node.name = fmt::format("{}/gpu{}", host_, number.value_or(static_cast<uint32_t>(gpu_count_)));
  while (builder_.find(node.name)) node.name = fmt::format("{}/gpu{}", host_, ++gpu_count_);
  ++gpu_count_;
  node.set_attribute("pci", pci.busid);
  node.set_attribute("numa", std::to_string(objects_.numas[pci.numa].index));
  const int capability = capability_of(node.attribute("model"));
  if (capability > 0) node.set_attribute("sm", std::to_string(capability));
  if (node.attribute("model").empty()) {
    node.set_attribute("model", fmt::format("{:04x}:{:04x}", pci.vendor, pci.device));
  }
  const NodeIndex added = UNIRACK_TRY(add(pci.element, std::move(node)));
  node_of_element_.emplace(pci.element.hash_value(), added);
  for (const HwlocOsDevice& device : pci.os_devices) {
    node_of_element_.emplace(device.element.hash_value(), added);
  }
  uint64_t bandwidth = pci.bandwidth;
  const NodeIndex parent = UNIRACK_TRY(above(index, bandwidth));
  attach(added, parent, bandwidth, pci.numa_is_sure);
  return ok_status();
}

Status HwlocReader::add_port(size_t index, const HwlocOsDevice& device, int64_t port, bool shared) {
  const HwlocPci& pci = objects_.pcis[index];
  Node node = make(NodeKind::nic,
                   fmt::format("nic/{}{}", device.name, port > 1 ? fmt::format(":{}", port) : ""));
  node.set_attribute("pci", pci.busid);
  node.set_attribute("numa", std::to_string(objects_.numas[pci.numa].index));
  set(node, "guid", hwloc_info(device.element, "NodeGUID"));
  set(node, "sys_image_guid", hwloc_info(device.element, "SysImageGUID"));
  set(node, "address", hwloc_info(device.element, "Address"));
  if (device.openfabrics) {
    node.set_attribute("rdma", "yes");
    node.set_attribute("port", std::to_string(port));
    const std::string_view state =
        hwloc_info(device.element, fmt::format("Port{}State", port).c_str());
    // 4 is active; hwloc writes the number or the word.
    if (!state.empty() && state.front() >= '1' && state.front() < '4') node.health = Health::down;
    set(node, "lid", hwloc_info(device.element, fmt::format("Port{}LID", port).c_str()));
  }
  const NodeIndex added = UNIRACK_TRY(add(device.element, std::move(node)));
  node_of_element_.emplace(device.element.hash_value(), added);
  if (!shared) {
    uint64_t bandwidth = pci.bandwidth;
    const NodeIndex parent = UNIRACK_TRY(above(index, bandwidth));
    attach(added, parent, bandwidth, pci.numa_is_sure);
    return ok_status();
  }
  // The ports of one card share its link, so the card is a node.
  if (!nodes_[index]) {
    Node card = make(NodeKind::pcie, "pci/" + pci.busid);
    card.set_attribute("pci", pci.busid);
    nodes_[index] = UNIRACK_TRY(add(pci.element, std::move(card)));
    uint64_t bandwidth = pci.bandwidth;
    const NodeIndex parent = UNIRACK_TRY(above(index, bandwidth));
    attach(*nodes_[index], parent, bandwidth, pci.numa_is_sure);
  }
  attach(added, *nodes_[index], 0);
  return ok_status();
}

// RDMA devices where there are any: network interfaces are their other face.
Status HwlocReader::add_ports(size_t index) {
  const HwlocPci& pci = objects_.pcis[index];
  struct Port {
    const HwlocOsDevice* device;
    int64_t number;
  };
  std::vector<Port> ports;
  for (const HwlocOsDevice& device : pci.os_devices) {
    if (!device.openfabrics) continue;
    ports.push_back({&device, 1});
    for (int64_t number = 2; number <= 4; ++number) {
      const std::string key = fmt::format("Port{}State", number);
      if (!hwloc_info(device.element, key.c_str()).empty()) ports.push_back({&device, number});
    }
  }
  for (const HwlocOsDevice& device : pci.os_devices) {
    if (ports.empty() || !ports.front().device->openfabrics) {
      if (device.network) ports.push_back({&device, 1});
    }
  }
  for (const Port& port : ports) {
    UNIRACK_TRY(add_port(index, *port.device, port.number, ports.size() > 1));
  }
  return ok_status();
}

Status HwlocReader::add_devices() {
  nodes_.resize(objects_.pcis.size());
  count_devices();
  for (const HwlocPci& pci : objects_.pcis) {
    if (pci.is_nvswitch()) nvswitches_.insert(pci.element.hash_value());
  }
  for (size_t i = 0; i < objects_.pcis.size(); ++i) {
    if (objects_.pcis[i].is_gpu()) UNIRACK_TRY(add_gpu(i));
  }
  for (size_t i = 0; i < objects_.pcis.size(); ++i) {
    if (!objects_.pcis[i].is_gpu() && is_port_device(objects_.pcis[i])) UNIRACK_TRY(add_ports(i));
  }
  return ok_status();
}

// GPUs by themselves, NVSwitches as one, packages as their first NUMA node; others are not in the
// graph.
Result<std::optional<NodeIndex>> HwlocReader::end_of(xml_node object) {
  const auto known = node_of_element_.find(object.hash_value());
  if (known != node_of_element_.end()) return std::optional(known->second);
  if (nvswitches_.contains(object.hash_value())) {
    return std::optional(UNIRACK_TRY(builder_.find_or_add(make(NodeKind::nvswitch, "nvswitch"))));
  }
  const auto package = cpu_of_element_.find(object.hash_value());
  return package == cpu_of_element_.end() ? std::nullopt : std::optional(package->second);
}

Status HwlocReader::add_matrix(const HwlocMatrix& matrix) {
  std::vector<std::optional<NodeIndex>> ends;
  for (const xml_node object : matrix.objects) ends.push_back(UNIRACK_TRY(end_of(object)));
  if (builder_.links().size() + matrix.values.size() > kGraphLinksMax) {
    return file_.error(matrix.element, fmt::format("expected at most {} links", kGraphLinksMax));
  }
  const LinkKind kind = matrix.name == "XGMIBandwidth" ? LinkKind::xgmi : LinkKind::nvlink;
  for (size_t from = 0; from < ends.size(); ++from) {
    for (size_t to = 0; to < ends.size(); ++to) {
      const uint64_t megabytes = matrix.values[from * ends.size() + to];
      if (megabytes == 0 || !ends[from] || !ends[to] || *ends[from] == *ends[to]) continue;
      const Node& a = builder_.node(*ends[from]);
      const Node& b = builder_.node(*ends[to]);
      if (a.kind != NodeKind::gpu && b.kind != NodeKind::gpu) continue;
      const std::string_view sm = a.kind == NodeKind::gpu ? a.attribute("sm") : b.attribute("sm");
      const uint64_t one = nvlink_bandwidth(number_from<int>(sm).value_or(0)) / 1'000'000;
      // How many links make up the sum is known where the rate of one is.
      const bool whole = one > 0 && megabytes % one == 0 && megabytes / one <= 1000;
      builder_.connect({.from = *ends[from],
                        .to = *ends[to],
                        .kind = kind,
                        .bandwidth = (whole ? one : megabytes) * 1'000'000,
                        .count = whole ? static_cast<uint32_t>(megabytes / one) : 1,
                        .provenance = Provenance::hwloc});
    }
  }
  return ok_status();
}

Result<Graph> HwlocReader::read(const ReadOptions& options) {
  UNIRACK_TRY(add_cpus());
  UNIRACK_TRY(add_devices());
  for (const HwlocMatrix& matrix : objects_.matrices) UNIRACK_TRY(add_matrix(matrix));
  return std::move(builder_).build("hwloc-xml" +
                                   (options.file_name.empty() ? "" : " " + options.file_name));
}

}  // namespace

bool recognises_hwloc_xml(std::string_view text) {
  const std::string_view start = text.substr(0, 65536);
  return trimmed(start).starts_with('<') && start.find("<topology") != std::string_view::npos &&
         start.find("<object") != std::string_view::npos;
}

Result<Graph> read_hwloc_xml(std::string_view text, const ReadOptions& options) {
  const XmlFile file = UNIRACK_TRY(XmlFile::parse(text));
  const HwlocObjects objects = UNIRACK_TRY(read_hwloc_objects(file));
  std::string host = options.host.empty() ? objects.host : options.host;
  if (host.empty()) host = "host";
  return HwlocReader(file, objects, host).read(options);
}

}  // namespace unirack
