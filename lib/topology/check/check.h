// The doctor: what is wrong, or worth knowing, of a fabric (a Graph) and of the machine that a
// process runs on (a MachineProbe). Each finding says what was read and what to do about it; equal
// findings of many nodes are one finding with a list, so that a broken fabric fills a few screens.
// Pure functions, callable from any thread; read_probe() reads this machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

enum class Severity : uint8_t { ok, info, warning, error };
std::string_view to_text(Severity severity);

struct Finding {
  Severity severity = Severity::info;
  std::string name;      // stable, for scripts: "missing_leaf"
  std::string evidence;  // one sentence: what was read, and where
  std::string advice;    // what can be done, where possible typed; empty: nothing needs to be
  std::vector<NodeIndex> nodes;  // ascending; empty: the machine
};

// The worst first. Compares like with like: hosts by their GPUs, leaves by their tier, NICs by
// their rail; so a fault that all share is not seen.
std::vector<Finding> check_graph(const Graph& graph);

// The worst of them; `ok` if there are none.
Severity worst(const std::vector<Finding>& findings);

}  // namespace unirack
