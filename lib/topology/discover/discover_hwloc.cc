#include "lib/topology/discover/discover_parts.h"

#ifdef UNIRACK_HAVE_HWLOC

#include <fmt/format.h>
#include <hwloc.h>

#include <array>
#include <memory>
#include <type_traits>

namespace unirack {
namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, Destroy>;

// Without I/O devices, which sysfs tells more about, and in a tenth of the time.
Topology load() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  Topology topology(raw);
  hwloc_topology_set_io_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_icache_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE);
  if (hwloc_topology_load(raw) != 0) return nullptr;
  return topology;
}

std::string caches_of(hwloc_topology_t topology, hwloc_const_cpuset_t cpus) {
  constexpr std::array<hwloc_obj_type_t, 4> kCaches = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE,
                                                       HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE};
  std::string text;
  for (size_t level = 0; level < kCaches.size(); ++level) {
    // A cache may be wider than the node, where firmware splits a package.
    const hwloc_obj_t cache =
        hwloc_get_next_obj_covering_cpuset_by_type(topology, cpus, kCaches[level], nullptr);
    if (cache == nullptr || cache->attr == nullptr || cache->attr->cache.size == 0) continue;
    const uint64_t kilobytes = cache->attr->cache.size / 1024;
    text += fmt::format("{}L{} {}", text.empty() ? "" : ", ", level + 1,
                        kilobytes % 1024 == 0 ? fmt::format("{} MiB", kilobytes / 1024)
                                              : fmt::format("{} KiB", kilobytes));
  }
  return text;
}

void describe(hwloc_topology_t topology, NumaFacts& node) {
  const hwloc_obj_t object =
      hwloc_get_numanode_obj_by_os_index(topology, static_cast<unsigned>(node.index));
  if (object == nullptr || object->cpuset == nullptr) return;
  const int cores =
      hwloc_get_nbobjs_inside_cpuset_by_type(topology, object->cpuset, HWLOC_OBJ_CORE);
  if (cores > 0) node.core_count = static_cast<uint32_t>(cores);
  node.caches = caches_of(topology, object->cpuset);
  const hwloc_obj_t package = hwloc_get_next_obj_covering_cpuset_by_type(
      topology, object->cpuset, HWLOC_OBJ_PACKAGE, nullptr);
  if (node.package < 0 && package != nullptr) {
    node.package = static_cast<int32_t>(package->os_index);
  }
}

}  // namespace

void read_hwloc(const Sysfs& sysfs, MachineFacts& facts) {
  const Topology topology = load();
  if (!topology) {
    facts.notes.emplace_back("hwloc cannot read this machine: cores and caches are not known");
    return;
  }
  if ((hwloc_topology_is_thissystem(topology.get()) != 0) != sysfs.is_this_machine()) {
    facts.notes.push_back(fmt::format(
        "hwloc has read another tree than {} (HWLOC_FSROOT at the program's start decides): cores "
        "and caches are not known",
        sysfs.root()));
    return;
  }
  for (NumaFacts& node : facts.numa) describe(topology.get(), node);
  if (!facts.cpu.name.empty()) return;
  const hwloc_obj_t package = hwloc_get_obj_by_type(topology.get(), HWLOC_OBJ_PACKAGE, 0);
  const char* model =
      package == nullptr ? nullptr : hwloc_obj_get_info_by_name(package, "CPUModel");
  if (model != nullptr) facts.cpu.name = model;
}

}  // namespace unirack

#else

namespace unirack {

void read_hwloc(const Sysfs&, MachineFacts& facts) {
  facts.notes.emplace_back("built without hwloc: cores and caches are not known");
}

}  // namespace unirack

#endif
