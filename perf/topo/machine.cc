#include "perf/topo/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "lib/topology/discover/discover.h"
#include "lib/topology/rates.h"

namespace unirack::topo {

Result<Graph> this_machine(const Console& console) {
  Discovery found = UNIRACK_TRY(discover({}));
  for (const std::string& note : found.notes) fmt::print(console.err, "note: {}\n", note);
  return std::move(found.graph);
}

uint64_t fastest_port(const Graph& machine) {
  uint64_t fastest = 0;
  for (const Node& node : machine.nodes()) {
    if (node.kind != NodeKind::nic) continue;
    const std::string_view text = node.attribute("speed_mbps");
    int64_t megabits = 0;
    std::from_chars(text.data(), text.data() + text.size(), megabits);
    fastest = std::max(fastest, ethernet_bandwidth(megabits));
  }
  return fastest;
}

}  // namespace unirack::topo
