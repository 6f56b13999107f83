#include "lib/topology/formats/nccl_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <unordered_map>

#include "lib/topology/formats/nccl_tree.h"
#include "lib/topology/formats/pci_text.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/formats/xml_file.h"
#include "lib/topology/rates.h"

namespace unirack {

namespace {

using pugi::xml_node;

constexpr size_t kCpusMax = 640;  // a host; NCCL_TOPO_MAX_NODES
constexpr int64_t kNumberMax = INT32_MAX;

// Attributes that have another place in the graph.
constexpr std::string_view kCpuModelled[] = {"numaid"};
constexpr std::string_view kPciModelled[] = {"busid"};
constexpr std::string_view kGpuModelled[] = {"rank"};
constexpr std::string_view kNetModelled[] = {"name", "speed"};

struct Host {
  std::string name;
  std::vector<NodeIndex> cpus;
  std::unordered_map<std::string, NodeIndex> gpus;  // by bus id
  std::unordered_map<std::string, NodeIndex> bridges;
  std::map<int64_t, xml_node> numas;
  size_t gpu_count = 0;
};

// What is read when all nodes are known.
struct Deferred {
  xml_node element;
  NodeIndex node;
  NodeIndex cpu;
  size_t host;
};

class NcclReader {
 public:
  NcclReader(const XmlFile& file, const ReadOptions& options)
      : file_(file), prefix_(options.host.empty() ? "host" : options.host) {}

  Result<Graph> read(const ReadOptions& options);

 private:
  Status find_hosts();
  Status read_cpu(xml_node cpu);
  // Each gives the rate of the fastest endpoint that it found.
  Result<uint64_t> read_pci(xml_node pci, NodeIndex parent);
  // `parent` becomes the bridge.
  Result<uint64_t> read_bridge(xml_node pci, NodeIndex& parent, uint64_t bandwidth);
  Status read_gpu(xml_node pci, xml_node gpu, NodeIndex parent, uint64_t bandwidth, bool shared);
  Status read_nic(xml_node nic, xml_node pci, NodeIndex parent, uint64_t bandwidth, bool shared);
  Status read_port(xml_node net, xml_node pci, NodeIndex parent, uint64_t bandwidth, bool shared);
  Status read_twin(xml_node twin, xml_node nic);
  Status read_nvlinks(const Deferred& gpu);
  Status read_nvlink(const Deferred& gpu, xml_node element, LinkKind kind);
  Status read_c2c(const Deferred& gpu);
  Status read_pcilinks(const Deferred& bridge);
  Result<NodeIndex> nvswitch();
  Status join_cpus(const Host& host);

  Host& host() { return hosts_[host_]; }
  // Adds under that name, or that name with ".2" and so on.
  Result<NodeIndex> add(xml_node element, Node node);
  // Attributes in `names` under their own name, `modelled` not at all, others as "PREFIX.NAME".
  Status keep(Node& node, xml_node element, std::span<const std::string_view> names,
              std::string_view prefix, std::span<const std::string_view> modelled = {}) const;
  void attach(NodeIndex node, NodeIndex parent, uint64_t bandwidth) {
    above_[node] = parent;
    builder_.join({.from = parent, .to = node, .kind = LinkKind::pcie, .bandwidth = bandwidth});
  }

  const XmlFile& file_;
  std::string prefix_;
  GraphBuilder builder_;
  std::vector<Host> hosts_;
  std::map<std::string, size_t> host_of_hash_;
  size_t host_ = 0;    // that is being read
  NodeIndex cpu_ = 0;  // likewise
  int nic_group_ = 0;  // likewise: which <nic> of a <cpu>
  std::unordered_map<std::string, size_t> name_uses_;
  std::unordered_map<NodeIndex, NodeIndex> above_;  // in the PCI tree
  std::vector<Deferred> gpus_;
  std::vector<Deferred> pcilinks_;
};

Result<NodeIndex> NcclReader::add(xml_node element, Node node) {
  size_t& uses = name_uses_[node.name];
  if (++uses > 1) node.name += fmt::format(".{}", uses);
  const auto added = builder_.add(std::move(node));
  if (!added) return file_.error(element, added.error().detail);
  return *added;
}

Status NcclReader::keep(Node& node, xml_node element, std::span<const std::string_view> names,
                        std::string_view prefix, std::span<const std::string_view> modelled) const {
  size_t count = 0;
  for (const pugi::xml_attribute each : element.attributes()) {
    const std::string_view name = each.name();
    const std::string_view value = each.value();
    if (++count > kNcclAttributesMax) {
      return file_.error(element,
                         fmt::format("expected at most {} attributes", kNcclAttributesMax));
    }
    if (value.size() > kGraphValueMax || name.size() > 64) {
      return file_.error(
          element, fmt::format("expected at most {} bytes in {}", kGraphValueMax, shown(name)));
    }
    if (std::find(modelled.begin(), modelled.end(), name) != modelled.end()) continue;
    std::string key(name);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      key = fmt::format("{}.{}", prefix, name);
    }
    // Of two attributes of one name NCCL sees the first, be it empty.
    const bool is_known = std::any_of(node.attributes.begin(), node.attributes.end(),
                                      [&](const auto& known) { return known.first == key; });
    if (!is_known) node.set_attribute(std::move(key), std::string(value));
  }
  return ok_status();
}

Status NcclReader::find_hosts() {
  for (const xml_node cpu : file_.root().children("cpu")) {
    host_of_hash_.emplace(cpu.attribute("host_hash").value(), host_of_hash_.size());
  }
  hosts_.resize(host_of_hash_.size());
  for (size_t i = 0; i < hosts_.size(); ++i) {
    hosts_[i].name = hosts_.size() == 1 ? prefix_ : fmt::format("{}{}", prefix_, i);
  }
  if (hosts_.empty()) return file_.error(file_.root(), "expected a <cpu>, found none");
  return ok_status();
}

Status NcclReader::read_cpu(xml_node cpu) {
  host_ = host_of_hash_[cpu.attribute("host_hash").value()];
  const int64_t numa = UNIRACK_TRY(file_.needed_number(cpu, "numaid", -1, kNumberMax));
  const auto [twin, fresh] = host().numas.emplace(numa, cpu);
  if (!fresh) {
    return file_.error(cpu, fmt::format("expected each 'numaid' once, found {} as in line {}", numa,
                                        file_.line_of(twin->second)));
  }
  if (host().cpus.size() >= kCpusMax) {
    return file_.error(cpu, fmt::format("expected at most {} of a host", kCpusMax));
  }
  Node node{.kind = NodeKind::cpu,
            .name = fmt::format("{}/cpu{}", host().name, std::max<int64_t>(numa, 0)),
            .host = host().name};
  UNIRACK_TRY(file_.number(cpu, "familyid", 0, kNumberMax));
  UNIRACK_TRY(file_.number(cpu, "modelid", 0, kNumberMax));
  UNIRACK_TRY(keep(node, cpu, kNcclCpuNames, "cpu", kCpuModelled));
  node.set_attribute("numa", std::to_string(numa));
  cpu_ = UNIRACK_TRY(add(cpu, std::move(node)));
  host().cpus.push_back(cpu_);
  nic_group_ = 0;
  for (const xml_node child : cpu.children()) {
    const std::string_view name = child.name();
    if (name == "pci") UNIRACK_TRY(read_pci(child, cpu_));
    if (name != "nic") continue;
    ++nic_group_;
    UNIRACK_TRY(read_nic(child, xml_node(), cpu_, 0, false));
  }
  return ok_status();
}

Result<uint64_t> NcclReader::read_pci(xml_node pci, NodeIndex parent) {
  const std::string_view busid = UNIRACK_TRY(file_.needed_text(pci, "busid"));
  if (!pci_address_from(busid)) {
    return file_.error(pci, fmt::format("expected a bus id such as '0000:0f:00.0' in 'busid', "
                                        "found {}",
                                        shown(busid)));
  }
  if (builder_.node(parent).attribute("pci") == lower_case(busid)) {
    return file_.error(pci, fmt::format("expected another bus id than that of the bridge, found {}",
                                        shown(busid)));
  }
  const auto lanes = UNIRACK_TRY(file_.number(pci, "link_width", 0, 255));
  const std::string_view speed = pci.attribute("link_speed").value();
  const auto gigatransfers = pci_speed_from(speed);
  if (!gigatransfers) {
    return file_.error(pci, fmt::format("expected a speed such as '16 GT/s' in 'link_speed', "
                                        "found {}",
                                        shown(speed)));
  }
  const uint64_t bandwidth =
      pcie_bandwidth(*gigatransfers, static_cast<unsigned>(lanes.value_or(0)));

  const std::string_view pci_class = pci.attribute("class").value();
  const xml_node gpu = pci.child("gpu");
  const xml_node nic = pci.child("nic");
  const bool is_gpu = gpu || (!nic && is_gpu_class(pci_class));
  const bool is_nic = !is_gpu && (nic || pci_class.starts_with("0x02"));
  if (!is_gpu && !is_nic) return read_bridge(pci, parent, bandwidth);

  // Several functions of one device share its link, so the device is a node of its own.
  const auto count = [&](xml_node in, const char* name) {
    const auto all = in.children(name);
    return std::distance(all.begin(), all.end());
  };
  const bool shared = is_gpu ? count(pci, "gpu") > 1 : count(nic, "net") > 1;
  if (shared) UNIRACK_TRY(read_bridge(pci, parent, bandwidth));
  const uint64_t own = shared ? 0 : bandwidth;
  if (is_nic) {
    UNIRACK_TRY(read_nic(nic, pci, parent, own, shared));
  } else if (!gpu) {
    UNIRACK_TRY(read_gpu(pci, gpu, parent, own, shared));
  }
  for (const xml_node each : pci.children("gpu")) {
    if (is_gpu) UNIRACK_TRY(read_gpu(pci, each, parent, own, shared));
  }
  return bandwidth;
}

Result<uint64_t> NcclReader::read_bridge(xml_node pci, NodeIndex& parent, uint64_t bandwidth) {
  const std::string busid = lower_case(pci.attribute("busid").value());
  Node node{.kind = NodeKind::pcie,
            .name = fmt::format("{}/pci/{}", host().name, busid),
            .host = host().name};
  node.set_attribute("pci", busid);
  UNIRACK_TRY(keep(node, pci, kNcclPciNames, "pci", kPciModelled));
  const NodeIndex index = UNIRACK_TRY(add(pci, std::move(node)));
  host().bridges.emplace(busid, index);
  const size_t link = builder_.links().size();
  attach(index, parent, bandwidth);
  parent = index;
  if (pci.child("pcilink")) pcilinks_.push_back({pci, index, cpu_, host_});
  uint64_t fastest = 0;
  for (const xml_node child : pci.children("pci")) {
    fastest = std::max(fastest, UNIRACK_TRY(read_pci(child, index)));
  }
  if (is_virtual_bridge(bandwidth, fastest)) {
    builder_.links()[link].bandwidth = 0;
    builder_.links()[link + 1].bandwidth = 0;
  }
  return fastest;
}

Status NcclReader::read_gpu(xml_node pci, xml_node gpu, NodeIndex parent, uint64_t bandwidth,
                            bool shared) {
  const std::string busid = lower_case(pci.attribute("busid").value());
  const xml_node where = gpu ? gpu : pci;
  const auto dev = UNIRACK_TRY(file_.number(where, "dev", 0, kNumberMax));
  Node node{.kind = NodeKind::gpu, .host = host().name};
  node.name =
      fmt::format("{}/gpu{}", host().name, dev.value_or(static_cast<int64_t>(host().gpu_count)));
  ++host().gpu_count;
  node.set_attribute("pci", busid);
  if (!shared) UNIRACK_TRY(keep(node, pci, kNcclPciNames, "pci", kPciModelled));
  if (gpu) {
    const auto rank = UNIRACK_TRY(file_.number(gpu, "rank", -1, kNumberMax));
    node.rank = static_cast<int32_t>(rank.value_or(-1));
    UNIRACK_TRY(file_.number(gpu, "sm", 0, 9999));
    UNIRACK_TRY(keep(node, gpu, kNcclGpuNames, "gpu", kGpuModelled));
  }
  const NodeIndex index = UNIRACK_TRY(add(where, std::move(node)));
  attach(index, parent, bandwidth);
  if (!host().gpus.emplace(busid, index).second && !shared) {
    return file_.error(pci, fmt::format("expected each GPU once, found a second at {}", busid));
  }
  if (gpu) gpus_.push_back({gpu, index, cpu_, host_});
  return ok_status();
}

// A NIC with no <net>, as in files that clouds ship, is a port of which nothing more is known.
Status NcclReader::read_nic(xml_node nic, xml_node pci, NodeIndex parent, uint64_t bandwidth,
                            bool shared) {
  for (const xml_node net : nic.children("net")) {
    UNIRACK_TRY(read_port(net, pci, parent, bandwidth, shared));
  }
  if (!nic.child("net") && pci) {
    UNIRACK_TRY(read_port(xml_node(), pci, parent, bandwidth, shared));
  }
  for (const char* name : {"gin", "rma"}) {
    for (const xml_node twin : nic.children(name)) UNIRACK_TRY(read_twin(twin, nic));
  }
  return ok_status();
}

Status NcclReader::read_port(xml_node net, xml_node pci, NodeIndex parent, uint64_t bandwidth,
                             bool shared) {
  const xml_node where = net ? net : pci;
  const std::string busid = lower_case(pci.attribute("busid").value());
  std::string own_name = net.attribute("name").value();
  if (own_name.empty()) own_name = busid;
  if (own_name.empty()) own_name = fmt::format("net{}", net.attribute("dev").value());
  Node node{.kind = NodeKind::nic,
            .name = fmt::format("{}/nic/{}", host().name, own_name),
            .host = host().name};
  if (pci) node.set_attribute("pci", busid);
  if (pci && !shared) UNIRACK_TRY(keep(node, pci, kNcclPciNames, "pci", kPciModelled));
  if (net) {
    UNIRACK_TRY(file_.number(net, "dev", 0, kNumberMax));
    UNIRACK_TRY(file_.number(net, "speed", INT32_MIN, kNumberMax));
    const auto port = UNIRACK_TRY(file_.number(net, "port", 0, kNumberMax));
    UNIRACK_TRY(keep(node, net, kNcclNetNames, "net", kNetModelled));
    if (const pugi::xml_attribute speed = net.attribute("speed")) {
      node.set_attribute("speed_mbps", speed.value());
    }
    // Two ports of one name, as InfiniBand has them, differ in the number of the port.
    if (builder_.find(node.name) && port &&
        !builder_.find(fmt::format("{}:{}", node.name, *port))) {
      node.name += fmt::format(":{}", *port);
      node.set_attribute("net.name", own_name);
    }
    // An index that NCCL made up itself has its highest bits set.
    const auto rail = number_from<int32_t>(net.attribute("rail").value());
    if (rail && *rail >= 0 && *rail < 65536) node.rail = *rail;
    if (!pci) node.set_attribute("nic_group", std::to_string(nic_group_));
  }
  const NodeIndex index = UNIRACK_TRY(add(where, std::move(node)));
  attach(index, parent, bandwidth);
  return ok_status();
}

// <gin> and <rma> say of a port again what <net> says, for other ways to use it.
Status NcclReader::read_twin(xml_node twin, xml_node nic) {
  const std::string_view name = twin.attribute("name").value();
  const std::string wanted = fmt::format("{}/nic/{}", host().name, name);
  const auto found = builder_.find(wanted);
  if (name.empty() || !found || !nic.find_child_by_attribute("net", "name", name.data())) {
    return file_.error(
        twin, fmt::format("expected the 'name' of a <net> beside it, found {}", shown(name)));
  }
  return keep(builder_.node(*found), twin, {}, twin.name());
}

Result<NodeIndex> NcclReader::nvswitch() {
  Node node{.kind = NodeKind::nvswitch, .name = prefix_ + "/nvswitch"};
  if (hosts_.size() == 1) node.host = prefix_;
  return builder_.find_or_add(std::move(node));
}

Status NcclReader::read_nvlinks(const Deferred& gpu) {
  std::string all;
  for (const xml_node child : gpu.element.children()) {
    const std::string_view name = child.name();
    if (name != "nvlink" && name != "xgmi") continue;
    UNIRACK_TRY(read_nvlink(gpu, child, name == "nvlink" ? LinkKind::nvlink : LinkKind::xgmi));
    all += fmt::format("{}{},{},{}", all.empty() ? "" : " ", child.attribute("target").value(),
                       child.attribute("count").value(), child.attribute("tclass").value());
  }
  // As written, for writing: chips of an NVSwitch domain are not told apart in the graph.
  if (!all.empty() && all.size() <= kGraphValueMax) {
    builder_.node(gpu.node).set_attribute("nvlinks", std::move(all));
  }
  return ok_status();
}

Status NcclReader::read_nvlink(const Deferred& gpu, xml_node element, LinkKind kind) {
  const std::string_view target = UNIRACK_TRY(file_.needed_text(element, "target"));
  const int64_t count = UNIRACK_TRY(file_.needed_number(element, "count", 0, 100'000));
  const std::string_view target_class = element.attribute("tclass").value();
  for (const std::string_view text : {target, target_class}) {
    if (text.find_first_of(" ,\t\r\n\v\f") == std::string_view::npos) continue;
    return file_.error(element,
                       fmt::format("expected no blanks and no commas, found {}", shown(text)));
  }
  if (count == 0) return ok_status();
  const Node& node = builder_.node(gpu.node);
  Link link{.from = gpu.node, .kind = kind, .count = static_cast<uint32_t>(count)};
  link.bandwidth = kind == LinkKind::xgmi
                       ? xgmi_bandwidth(node.attribute("gcn"))
                       : nvlink_bandwidth(number_from<int>(node.attribute("sm")).value_or(0));
  const auto& gpus = hosts_[gpu.host].gpus;
  const auto peer = gpus.find(lower_case(target));
  if (is_gpu_class(target_class) || (target_class.empty() && peer != gpus.end())) {
    // Links to GPUs that are not in the file lead nowhere.
    if (peer == gpus.end()) return ok_status();
    if (peer->second == gpu.node) {
      return file_.error(element, "expected another GPU in 'target', found its own");
    }
    link.to = peer->second;  // and back when the peer says so
    builder_.connect(link);
    return ok_status();
  }
  const bool is_cpu = target_class.starts_with("0x068001");
  if (!is_cpu && !target_class.starts_with("0x0680") && !lower_case(target).starts_with("ff")) {
    return file_.error(element, fmt::format("expected the class of a GPU, an NVSwitch or a CPU in "
                                            "'tclass', found {}",
                                            shown(target_class)));
  }
  link.to = is_cpu ? gpu.cpu : UNIRACK_TRY(nvswitch());
  builder_.join(link);
  return ok_status();
}

Status NcclReader::read_c2c(const Deferred& gpu) {
  for (const xml_node element : gpu.element.children("c2c")) {
    const int64_t count = UNIRACK_TRY(file_.needed_number(element, "count", 0, 100'000));
    const int64_t megabytes = UNIRACK_TRY(file_.needed_number(element, "bw", 0, 100'000'000));
    if (count == 0) continue;
    builder_.join({.from = gpu.node,
                   .to = gpu.cpu,
                   .kind = LinkKind::c2c,
                   .bandwidth = static_cast<uint64_t>(megabytes) * 1'000'000,
                   .count = static_cast<uint32_t>(count)});
  }
  return ok_status();
}

// Between switches, at a rate that limits nothing.
Status NcclReader::read_pcilinks(const Deferred& bridge) {
  std::string targets;
  for (const xml_node element : bridge.element.children("pcilink")) {
    const std::string target = lower_case(UNIRACK_TRY(file_.needed_text(element, "target")));
    if (!pci_address_from(target)) {
      return file_.error(element,
                         fmt::format("expected a bus id in 'target', found {}", shown(target)));
    }
    targets += (targets.empty() ? "" : " ") + target;
    const auto& bridges = hosts_[bridge.host].bridges;
    const auto peer = bridges.find(target);
    if (peer == bridges.end()) continue;
    if (peer->second == bridge.node || above_[peer->second] == bridge.node ||
        above_[bridge.node] == peer->second) {
      return file_.error(element, fmt::format("expected a switch elsewhere in 'target', found {}, "
                                              "its own or one that it is joined to",
                                              target));
    }
    builder_.connect({.from = bridge.node, .to = peer->second, .kind = LinkKind::pcie});
  }
  if (targets.size() > kGraphValueMax) {
    return file_.error(bridge.element, "expected fewer <pcilink>");
  }
  builder_.node(bridge.node).set_attribute("pcilinks", targets);
  return ok_status();
}

Status NcclReader::join_cpus(const Host& host) {
  if (builder_.links().size() + host.cpus.size() * host.cpus.size() > kGraphLinksMax) {
    return file_.error(file_.root(), fmt::format("expected at most {} links", kGraphLinksMax));
  }
  for (const NodeIndex from : host.cpus) {
    const Node& cpu = builder_.node(from);
    const uint64_t bandwidth =
        smp_bandwidth(cpu.attribute("arch"), cpu.attribute("vendor"),
                      number_from<int>(cpu.attribute("familyid")).value_or(0),
                      number_from<int>(cpu.attribute("modelid")).value_or(0));
    for (const NodeIndex to : host.cpus) {
      if (from == to) continue;
      builder_.connect({.from = from,
                        .to = to,
                        .kind = LinkKind::smp,
                        .bandwidth = bandwidth,
                        .provenance = Provenance::assumed});
    }
  }
  return ok_status();
}

Result<Graph> NcclReader::read(const ReadOptions& options) {
  const xml_node system = file_.root();
  if (std::string_view(system.name()) != "system") {
    return file_.error(system, "expected <system>, found another element");
  }
  UNIRACK_TRY(file_.needed_number(system, "version", 1, 2));
  UNIRACK_TRY(find_hosts());
  for (const xml_node cpu : system.children("cpu")) UNIRACK_TRY(read_cpu(cpu));
  for (const Deferred& gpu : gpus_) {
    UNIRACK_TRY(read_nvlinks(gpu));
    UNIRACK_TRY(read_c2c(gpu));
  }
  for (const Deferred& bridge : pcilinks_) UNIRACK_TRY(read_pcilinks(bridge));
  for (const Host& host : hosts_) UNIRACK_TRY(join_cpus(host));
  return std::move(builder_).build("nccl-xml" +
                                   (options.file_name.empty() ? "" : " " + options.file_name));
}

}  // namespace

bool recognises_nccl_xml(std::string_view text) {
  const size_t system = text.substr(0, 65536).find("<system");
  return trimmed(text.substr(0, 4096)).starts_with('<') && system != std::string_view::npos;
}

Result<Graph> read_nccl_xml(std::string_view text, const ReadOptions& options) {
  const XmlFile file = UNIRACK_TRY(XmlFile::parse(text));
  return NcclReader(file, options).read(options);
}

}  // namespace unirack
