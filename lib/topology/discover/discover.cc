#include "lib/topology/discover/discover.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "lib/topology/discover/discover_parts.h"
#include "lib/topology/discover/machine_graph.h"

namespace unirack {
namespace {

std::string host_name(const DiscoverOptions& options) {
  if (!options.host.empty()) return options.host;
  if (options.root != "/") return "host";
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "host";
  return name.data();
}

}  // namespace

Result<Discovery> discover(const DiscoverOptions& options) {
  Sysfs sysfs(options.root);
  if (!sysfs.exists("/sys")) {
    return make_error(Code::unavailable,
                      fmt::format("{} holds no sys/: nothing to discover", sysfs.root()));
  }
  MachineFacts facts;
  facts.host = host_name(options);
  read_numa(sysfs, facts);
  read_pci(sysfs, facts);
  read_nics(sysfs, facts);
  read_kfd(sysfs, facts);
  if (options.use_hwloc) read_hwloc(sysfs, facts);
  // The driver of this machine knows nothing of an archived one.
  if (options.use_nvml && (sysfs.is_this_machine() || !options.nvml_library.empty())) {
    read_nvml(options.nvml_library, facts);
  }
  if (!sysfs.denied().empty()) {
    facts.notes.push_back(fmt::format("{} files may not be read, the first is {}",
                                      sysfs.denied().size(), sysfs.denied().front()));
  }
  std::vector<std::string> notes = std::move(facts.notes);
  Graph graph = UNIRACK_TRY(machine_graph(facts, notes));
  return Discovery{std::move(graph), std::move(notes)};
}

}  // namespace unirack
