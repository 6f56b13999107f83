#include "lib/topology/formats/netq.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lib/topology/formats/json_file.h"
#include "lib/topology/formats/names.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/natural_order.h"

namespace unirack {

namespace {

constexpr int64_t kTierMax = 1000;
constexpr int64_t kTierUnknown = -1;

struct Device {
  std::string name;
  int64_t tier = kTierUnknown;
  bool is_switch = false;
  bool has_hosts = false;
  NodeIndex node = 0;  // of switches
};

struct Host {
  std::vector<NodeIndex> nics;
  std::vector<NodeIndex> gpus;
};

class NetqReader {
 public:
  explicit NetqReader(const JsonFile& file) : file_(file) {}

  Result<GraphBuilder> read() {
    const JsonValue& root = file_.root();
    if (!root.is_list()) return file_.error(root, expected_kind("a list", root));
    if (root.items.empty()) return file_.error(root, "expected at least one element, found none");
    for (const JsonValue& each : root.items) {
      if (!each.is_object()) return file_.error(each, expected_kind("an object", each));
      if (each.find("nodes") != nullptr) {
        UNIRACK_TRY(read_graph(each));
      } else if (each.find("GpuIDList") != nullptr || each.find("DomainUUID") != nullptr) {
        UNIRACK_TRY(read_tray(each));
      } else {
        return file_.error(each,
                           "expected 'nodes' and 'links', or 'DomainUUID' and 'GpuIDList', "
                           "found neither");
      }
    }
    UNIRACK_TRY(add_members());
    return std::move(builder_);
  }

 private:
  Status read_graph(const JsonValue& value) {
    devices_.clear();  // ids are those of one graph
    const JsonValue* nodes = UNIRACK_TRY(file_.list(value, "nodes"));
    for (const JsonValue& each : nodes->items) UNIRACK_TRY(read_node(each));
    const JsonValue* links = UNIRACK_TRY(file_.list(value, "links"));
    if (links == nullptr) return file_.error(value, "expected 'links', found none");
    // Which switches hosts are plugged into decides what the switches are.
    std::vector<Cable> cables;
    for (const JsonValue& each : links->items) UNIRACK_TRY(read_link(each, cables));
    UNIRACK_TRY(add_switches(value));
    for (const Cable& cable : cables) UNIRACK_TRY(add_cable(cable));
    return ok_status();
  }

  // A tier holds its devices in "compounded_nodes".
  Status read_node(const JsonValue& value) {
    if (!value.is_object()) return file_.error(value, expected_kind("an object", value));
    const JsonValue* inner = UNIRACK_TRY(file_.list(value, "compounded_nodes"));
    if (inner != nullptr) {
      for (const JsonValue& each : inner->items) UNIRACK_TRY(read_node(each));
      return ok_status();
    }
    const auto id = UNIRACK_TRY(file_.text(value, "id"));
    if (!id) return file_.error(value, "expected an 'id', found none");
    const auto name = UNIRACK_TRY(file_.text(value, "name"));
    const auto type = UNIRACK_TRY(file_.text(value, "device_type"));
    Device device;
    device.name = name && !name->empty() ? *name : *id;
    device.tier =
        UNIRACK_TRY(file_.integer(value, "tier", -kTierMax, kTierMax)).value_or(kTierUnknown);
    device.is_switch = type == "switch" || device.tier > 0;
    if (!devices_.emplace(*id, std::move(device)).second) {
      return file_.error(value, fmt::format("expected another id, found {} twice", shown(*id)));
    }
    return ok_status();
  }

  struct End {
    Device* device = nullptr;
    std::string interface;
  };
  struct Cable {
    End from;
    End to;
    const JsonValue* value = nullptr;
    uint32_t count = 1;
    std::string warning;
  };

  // A link between two devices is the sum of its cables.
  Status read_link(const JsonValue& value, std::vector<Cable>& cables) {
    if (!value.is_object()) return file_.error(value, expected_kind("an object", value));
    const int64_t size = UNIRACK_TRY(file_.integer(value, "size", 1, kLinksMax)).value_or(1);
    const JsonValue* inner = UNIRACK_TRY(file_.list(value, "compounded_links"));
    if (inner == nullptr || inner->items.empty()) {
      cables.push_back(UNIRACK_TRY(read_ends(value)));
      cables.back().count = static_cast<uint32_t>(size);
      return ok_status();
    }
    for (const JsonValue& each : inner->items) {
      if (!each.is_object()) return file_.error(each, expected_kind("an object", each));
      cables.push_back(UNIRACK_TRY(read_ends(each)));
    }
    if (static_cast<size_t>(size) != inner->items.size() && value.find("size") != nullptr) {
      cables.back().warning = fmt::format("line {}: a link of size {} lists {} cables", value.line,
                                          size, inner->items.size());
    }
    return ok_status();
  }

  Result<Cable> read_ends(const JsonValue& value) {
    const JsonValue* ends = UNIRACK_TRY(file_.list(value, "interfaces"));
    if (ends == nullptr || ends->items.size() != 2) {
      return file_.error(ends == nullptr ? value : *ends, "expected two 'interfaces'");
    }
    Cable cable;
    cable.value = &value;
    cable.from = UNIRACK_TRY(read_end(ends->items[0]));
    cable.to = UNIRACK_TRY(read_end(ends->items[1]));
    if (cable.from.device == cable.to.device) {
      return file_.error(value, "expected a link between two nodes, found both ends at one");
    }
    cable.from.device->has_hosts |= !cable.to.device->is_switch;
    cable.to.device->has_hosts |= !cable.from.device->is_switch;
    return cable;
  }

  Result<End> read_end(const JsonValue& value) {
    if (!value.is_object()) return file_.error(value, expected_kind("an object", value));
    const auto id = UNIRACK_TRY(file_.text(value, "node"));
    if (!id) return file_.error(value, "expected a 'node', found none");
    const auto known = devices_.find(std::string(*id));
    if (known == devices_.end()) {
      return file_.error(value, fmt::format("expected the id of a node, found {}", shown(*id)));
    }
    const auto interface = UNIRACK_TRY(file_.text(value, "interface"));
    return End{&known->second, std::string(interface.value_or("net"))};
  }

  Status add_switches(const JsonValue& value) {
    for (auto& [id, device] : devices_) {
      if (!device.is_switch) {
        hosts_[device.name];
        continue;
      }
      Node node;
      node.name = device.name;
      node.kind = device.has_hosts || device.tier == 1 ? NodeKind::leaf
                  : device.tier > 1                    ? NodeKind::spine
                                                       : NodeKind::network_switch;
      if (device.tier > 0) node.set_attribute("tier", std::to_string(device.tier));
      if (builder_.find(node.name)) node.name += "/" + id;
      auto added = builder_.add(std::move(node));
      if (!added) return file_.error(value, added.error().detail);
      device.node = *added;
    }
    return ok_status();
  }

  Status add_cable(const Cable& cable) {
    const NodeIndex from = UNIRACK_TRY(node_of(cable.from, *cable.value));
    const NodeIndex to = UNIRACK_TRY(node_of(cable.to, *cable.value));
    if (!cable.warning.empty()) {
      add_warning(builder_.node(from), cable.warning);
      add_warning(builder_.node(to), cable.warning);
    }
    builder_.join({.from = from, .to = to, .kind = LinkKind::ethernet, .count = cable.count});
    return ok_status();
  }

  // The switch, or the NIC of a host.
  Result<NodeIndex> node_of(const End& end, const JsonValue& value) {
    if (end.device->is_switch) return end.device->node;
    Node nic;
    nic.kind = NodeKind::nic;
    nic.name = fmt::format("{}/nic/{}", end.device->name, end.interface);
    nic.host = end.device->name;
    if (const auto known = builder_.find(nic.name)) return *known;
    auto added = builder_.add(std::move(nic));
    if (!added) return file_.error(value, added.error().detail);
    hosts_[end.device->name].nics.push_back(*added);
    return added;
  }

  // A machine of an NVLink domain.
  Status read_tray(const JsonValue& value) {
    const auto name = UNIRACK_TRY(file_.text(value, "Name"));
    if (!name || name->empty()) return file_.error(value, "expected a 'Name', found none");
    Node like;
    like.kind = NodeKind::gpu;
    like.host = *name;
    like.domain = UNIRACK_TRY(file_.text(value, "DomainUUID")).value_or("");
    UNIRACK_TRY(read_health(value, like));
    UNIRACK_TRY(read_place(value, like));
    const JsonValue* gpus = UNIRACK_TRY(file_.list(value, "GpuIDList"));
    Host& host = hosts_[std::string(*name)];
    if (!host.gpus.empty()) {
      return file_.error(value,
                         fmt::format("expected another 'Name', found {} twice", shown(*name)));
    }
    for (size_t i = 0; gpus != nullptr && i < gpus->items.size(); ++i) {
      const JsonValue& id = gpus->items[i];
      if (id.kind != JsonValue::Kind::text) return file_.error(id, expected_kind("a text", id));
      Node gpu = like;
      gpu.name = fmt::format("{}/gpu{}", *name, i);
      gpu.set_attribute("guid", id.text);
      auto added = builder_.add(std::move(gpu));
      if (!added) return file_.error(value, added.error().detail);
      host.gpus.push_back(*added);
      UNIRACK_TRY(join_domain(like.domain, *added, value));
    }
    return ok_status();
  }

  Status join_domain(const std::string& domain, NodeIndex gpu, const JsonValue& value) {
    if (domain.empty()) return ok_status();
    Node nvswitch;
    nvswitch.kind = NodeKind::nvswitch;
    nvswitch.name = domain + "/nvswitch";
    nvswitch.domain = domain;
    auto hub = builder_.find_or_add(std::move(nvswitch));
    if (!hub) return file_.error(value, hub.error().detail);
    builder_.join({.from = gpu, .to = *hub, .kind = LinkKind::nvlink});
    return ok_status();
  }

  Status read_health(const JsonValue& value, Node& like) const {
    const auto health = UNIRACK_TRY(file_.text(value, "Health"));
    if (!health || *health == "HEALTHY" || *health == "UNKNOWN") return ok_status();
    if (*health != "DEGRADED" && *health != "UNHEALTHY") {
      return file_.error(*value.find("Health"),
                         fmt::format("expected HEALTHY, DEGRADED, UNHEALTHY or UNKNOWN, found {}",
                                     shown(*health)));
    }
    like.health = *health == "DEGRADED" ? Health::degraded : Health::down;
    return ok_status();
  }

  Status read_place(const JsonValue& value, Node& like) const {
    const JsonValue* place = UNIRACK_TRY(file_.object(value, "LocationInfo"));
    if (place == nullptr) return ok_status();
    like.rack = UNIRACK_TRY(file_.text(*place, "ChassisSerialNumber")).value_or("");
    constexpr std::pair<const char*, const char*> kNumbers[] = {
        {"SlotID", "slot"}, {"TrayIndex", "tray"}, {"ChassisID", "chassis"}};
    for (const auto& [key, attribute] : kNumbers) {
      const auto number = UNIRACK_TRY(file_.integer(*place, key, -1, INT32_MAX));
      if (number) like.set_attribute(attribute, std::to_string(*number));
    }
    return ok_status();
  }

  Status add_members() {
    const bool has_gpus = std::any_of(hosts_.begin(), hosts_.end(),
                                      [](const auto& each) { return !each.second.gpus.empty(); });
    int32_t next_rank = 0;
    for (const auto& [name, host] : hosts_) {
      if (!host.gpus.empty() && !host.nics.empty()) UNIRACK_TRY(add_pcie(name, host));
      if (!has_gpus) UNIRACK_TRY(add_rank(name, host, next_rank++));
    }
    return ok_status();
  }

  Status add_pcie(const std::string& name, const Host& host) {
    Node node;
    node.kind = NodeKind::pcie;
    node.name = name + "/pci";
    node.host = name;
    node.provenance = Provenance::assumed;
    const NodeIndex pcie = UNIRACK_TRY(builder_.add(std::move(node)));
    for (const auto* devices : {&host.gpus, &host.nics}) {
      for (const NodeIndex device : *devices) join_pcie(device, pcie);
    }
    return ok_status();
  }

  Status add_rank(const std::string& name, const Host& host, int32_t rank) {
    Node node;
    node.kind = NodeKind::rank;
    node.name = fmt::format("{}/rank{}", name, rank);
    node.host = name;
    node.rank = rank;
    node.provenance = Provenance::assumed;
    const NodeIndex index = UNIRACK_TRY(builder_.add(std::move(node)));
    for (const NodeIndex nic : host.nics) join_pcie(index, nic);
    return ok_status();
  }

  void join_pcie(NodeIndex from, NodeIndex to) {
    builder_.join(
        {.from = from, .to = to, .kind = LinkKind::pcie, .provenance = Provenance::assumed});
  }

  static constexpr int64_t kLinksMax = 1'000'000;

  const JsonFile& file_;
  GraphBuilder builder_;
  std::map<std::string, Device, std::less<>> devices_;  // by id
  std::map<std::string, Host, decltype(&natural_less)> hosts_{&natural_less};
};

}  // namespace

bool recognises_netq(std::string_view text) {
  const std::string_view head = text.substr(0, 65536);
  const size_t first = head.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || head[first] != '[') return false;
  return head.find("\"DomainUUID\"") != std::string_view::npos ||
         head.find("\"GpuIDList\"") != std::string_view::npos ||
         head.find("\"compounded_links\"") != std::string_view::npos ||
         head.find("\"compounded_nodes\"") != std::string_view::npos;
}

Result<Graph> read_netq(std::string_view text, const ReadOptions& options) {
  const JsonFile file = UNIRACK_TRY(JsonFile::parse(text));
  GraphBuilder builder = UNIRACK_TRY(NetqReader(file).read());
  return std::move(builder).build(options.file_name.empty() ? "netq" : "netq " + options.file_name);
}

}  // namespace unirack
