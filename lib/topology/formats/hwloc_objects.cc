#include "lib/topology/formats/hwloc_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "lib/topology/formats/nccl_tree.h"
#include "lib/topology/formats/pci_text.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/rates.h"

namespace unirack {

namespace {

using pugi::xml_node;

constexpr size_t kMatrixObjectsMax = 2048;

std::string_view type_of(xml_node object) { return object.attribute("type").value(); }

bool is_numa(xml_node object) {
  const std::string_view type = type_of(object);
  return type == "NUMANode" || type == "Node";
}

// NUMA nodes of GPU memory and of other devices have no CPUs.
bool has_cpus(xml_node numa) {
  const std::string_view cpus = numa.attribute("cpuset").value();
  return cpus.empty() || cpus.find_first_of("123456789abcdefABCDEF") != std::string_view::npos;
}

class ObjectReader {
 public:
  explicit ObjectReader(const XmlFile& file) : file_(file) {}

  Result<HwlocObjects> read();

 private:
  struct Place {
    std::optional<size_t> numa;
    std::optional<size_t> pci;
  };

  void find_numas(xml_node object);
  Status read_object(xml_node object, Place place);
  Status read_pci(xml_node object, Place& place);
  Status read_os_device(xml_node object, const Place& place);
  Status read_matrix(xml_node element);
  std::optional<size_t> numa_of(xml_node object) const;
  Result<xml_node> object_of(xml_node matrix, std::string_view word, std::string_view type,
                             bool by_system) const;

  const XmlFile& file_;
  int major_ = 1;
  HwlocObjects objects_;
  std::unordered_map<std::string, xml_node> by_index_;   // "OSDev:802" by gp_index
  std::unordered_map<std::string, xml_node> by_system_;  // "NUMANode:0" by os_index
  std::unordered_map<size_t, size_t> numa_places_;       // by pugixml's hash of the element
};

void ObjectReader::find_numas(xml_node object) {
  if (is_numa(object) && has_cpus(object)) {
    numa_places_.emplace(object.hash_value(), objects_.numas.size());
    objects_.numas.push_back({object, static_cast<int64_t>(objects_.numas.size())});
  }
  for (const xml_node child : object.children("object")) find_numas(child);
}

// The one that the object is, or that hangs on it as memory.
std::optional<size_t> ObjectReader::numa_of(xml_node object) const {
  const auto found = numa_places_.find(object.hash_value());
  if (found != numa_places_.end()) return found->second;
  for (const xml_node child : object.children("object")) {
    const bool memory = is_numa(child) || type_of(child) == "MemCache";
    if (!memory) continue;
    if (const auto below = numa_of(child)) return below;
  }
  return std::nullopt;
}

Status ObjectReader::read_pci(xml_node object, Place& place) {
  // A host bridge has no address: it is the way into the tree.
  const std::string_view busid = object.attribute("pci_busid").value();
  if (busid.empty() && type_of(object) == "Bridge") return ok_status();
  if (!pci_address_from(busid)) {
    return file_.error(object, fmt::format("expected a bus id such as '0000:0f:00.0' in "
                                           "'pci_busid', found {}",
                                           shown(busid)));
  }
  HwlocPci pci{.element = object, .busid = lower_case(busid), .parent = place.pci};
  // "0302 [10de:1db8] [10de:131d] a1 00"
  const std::string_view type = object.attribute("pci_type").value();
  const size_t ids = type.find('[');
  if (ids != std::string_view::npos && type.size() >= ids + 10) {
    pci.vendor = number_from<uint32_t>(type.substr(ids + 1, 4), 16).value_or(0);
    pci.device = number_from<uint32_t>(type.substr(ids + 6, 4), 16).value_or(0);
  }
  const auto pci_class = number_from<uint32_t>(type.substr(0, 4), 16);
  if (!pci_class) {
    return file_.error(object, fmt::format("expected a class such as '0302' in 'pci_type', found "
                                           "{}",
                                           shown(type)));
  }
  pci.pci_class = *pci_class;
  const std::string_view speed = object.attribute("pci_link_speed").value();
  const auto gigabytes = speed.empty() ? 0.0 : real_from(speed);
  if (!gigabytes || *gigabytes < 0 || *gigabytes > 1e6) {
    return file_.error(object,
                       fmt::format("expected GB/s in 'pci_link_speed', found {}", shown(speed)));
  }
  // hwloc rounds what lanes and generation give.
  pci.bandwidth = static_cast<uint64_t>(std::llround(*gigabytes * 1e9));
  const PciSteps steps = pci_steps_of(pci.bandwidth);
  const uint64_t step = pcie_bandwidth(pci_speed_from(steps.speed).value_or(0), steps.width);
  const uint64_t apart = std::max(step, pci.bandwidth) - std::min(step, pci.bandwidth);
  if (apart < pci.bandwidth / 1000) pci.bandwidth = step;
  pci.numa = place.numa.value_or(0);
  pci.numa_is_sure = place.numa.has_value() || objects_.numas.size() == 1;
  place.pci = objects_.pcis.size();
  objects_.pcis.push_back(std::move(pci));
  return ok_status();
}

Status ObjectReader::read_os_device(xml_node object, const Place& place) {
  if (!place.pci) return ok_status();  // virtual, or of the system
  HwlocOsDevice device{.element = object, .name = object.attribute("name").value()};
  if (device.name.empty()) return file_.error(object, "expected 'name', found none");
  const int64_t type =
      UNIRACK_TRY(file_.number(object, "osdev_type", 0, INT32_MAX)).value_or(INT32_MAX);
  // A number up to version 2, bits from 3 on.
  const auto is = [&](int number, int bit) {
    return major_ >= 3 ? type != INT32_MAX && (type >> bit & 1) != 0 : type == number;
  };
  device.openfabrics = is(3, 5);
  device.network = is(2, 4) && !device.openfabrics;
  const auto named = [&](std::string_view start) { return device.name.starts_with(start); };
  device.gpu = (is(1, 2) || is(5, 3)) &&
               (named("cuda") || named("nvml") || named("rsmi") || named("opencl") || named("ze"));
  objects_.pcis[*place.pci].os_devices.push_back(std::move(device));
  return ok_status();
}

Status ObjectReader::read_object(xml_node object, Place place) {
  const std::string_view type = type_of(object);
  if (type.empty()) return file_.error(object, "expected 'type', found none");
  if (const auto numa = numa_of(object)) place.numa = numa;
  const auto remember = [&](auto& map, const char* attribute) {
    const std::string_view index = object.attribute(attribute).value();
    if (!index.empty()) map.emplace(fmt::format("{}:{}", type, index), object);
  };
  remember(by_index_, "gp_index");
  remember(by_system_, "os_index");
  if (type == "Machine" || type == "Package" || type == "Socket") {
    for (const xml_node info : object.children("info")) {
      objects_.infos.emplace(info.attribute("name").value(), info.attribute("value").value());
    }
  }
  if (type == "PCIDev" || type == "Bridge") UNIRACK_TRY(read_pci(object, place));
  if (type == "OSDev") UNIRACK_TRY(read_os_device(object, place));
  for (const xml_node child : object.children("object")) UNIRACK_TRY(read_object(child, place));
  return ok_status();
}

Result<xml_node> ObjectReader::object_of(xml_node matrix, std::string_view word,
                                         std::string_view type, bool by_system) const {
  const std::string key = type.empty() ? std::string(word) : fmt::format("{}:{}", type, word);
  const auto& map = by_system ? by_system_ : by_index_;
  const auto found = map.find(key);
  if (found == map.end()) {
    return file_.error(matrix,
                       fmt::format("expected an object in 'indexes', found {}", shown(word)));
  }
  return found->second;
}

// <distances2> of one type of objects, <distances2hetero> of several.
Status ObjectReader::read_matrix(xml_node element) {
  HwlocMatrix matrix{.name = element.attribute("name").value(), .element = element};
  if (matrix.name != "NVLinkBandwidth" && matrix.name != "XGMIBandwidth") return ok_status();
  const auto count = static_cast<size_t>(
      UNIRACK_TRY(file_.needed_number(element, "nbobjs", 1, int64_t{kMatrixObjectsMax})));
  const bool by_system = element.attribute("indexing").value() == std::string_view("os");
  for (const xml_node part : element.children("indexes")) {
    for (const std::string_view word : words_of(part.child_value())) {
      matrix.objects.push_back(
          UNIRACK_TRY(object_of(element, word, element.attribute("type").value(), by_system)));
    }
  }
  for (const xml_node part : element.children("u64values")) {
    for (const std::string_view word : words_of(part.child_value())) {
      const auto value = number_from<uint64_t>(word);
      if (!value || *value > kBandwidthMax / 1'000'000) {
        return file_.error(part, fmt::format("expected MB/s, found {}", shown(word)));
      }
      matrix.values.push_back(*value);
    }
  }
  if (matrix.objects.size() != count || matrix.values.size() != count * count) {
    return file_.error(element,
                       fmt::format("expected {} objects and {} values, found {} and {}", count,
                                   count * count, matrix.objects.size(), matrix.values.size()));
  }
  objects_.matrices.push_back(std::move(matrix));
  return ok_status();
}

Result<HwlocObjects> ObjectReader::read() {
  const xml_node topology = file_.root();
  if (std::string_view(topology.name()) != "topology") {
    return file_.error(topology, "expected <topology>, found another element");
  }
  const std::string_view version = topology.attribute("version").value();
  if (!version.empty()) {
    const auto major = number_from<int>(version.substr(0, version.find('.')));
    if (!major || *major < 1 || *major > 3) {
      return file_.error(topology, fmt::format("expected version 1 to 3 of hwloc's format, found "
                                               "{}",
                                               shown(version)));
    }
    major_ = *major;
  }
  const xml_node machine = topology.child("object");
  if (!machine) return file_.error(topology, "expected an <object>, found none");
  find_numas(machine);
  for (HwlocNuma& numa : objects_.numas) {
    numa.index =
        UNIRACK_TRY(file_.number(numa.element, "os_index", 0, INT32_MAX)).value_or(numa.index);
  }
  if (objects_.numas.empty()) objects_.numas.push_back({});  // a machine of one
  UNIRACK_TRY(read_object(machine, {}));
  objects_.host = objects_.infos["HostName"];
  for (const char* name : {"distances2", "distances2hetero"}) {
    for (const xml_node each : topology.children(name)) UNIRACK_TRY(read_matrix(each));
  }
  return std::move(objects_);
}

}  // namespace

bool HwlocPci::is_gpu() const {
  if (pci_class == 0x0302 || pci_class == 0x1200) return true;
  return std::any_of(os_devices.begin(), os_devices.end(),
                     [](const HwlocOsDevice& each) { return each.gpu; });
}

// One that is passed to a guest may hide its class.
bool HwlocPci::is_nvswitch() const {
  return pci_class == 0x0680 ||
         element.attribute("subtype").value() == std::string_view("NVSwitch");
}

std::string_view hwloc_info(xml_node object, const char* name) {
  return object.find_child_by_attribute("info", "name", name).attribute("value").value();
}

Result<HwlocObjects> read_hwloc_objects(const XmlFile& file) { return ObjectReader(file).read(); }

}  // namespace unirack
