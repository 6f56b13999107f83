// The two kinds of reach, derived from a Graph: who reaches whom by load/store (domains), and which
// NICs and leaves carry one share of the messages between them (rails). Pure functions of the
// graph, callable from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

struct Domain {
  std::string name;  // as the source names it, else its switch's, host's or lowest member's
  std::vector<NodeIndex> members;  // ascending
};

// Every member of the graph is in one domain; domains stand by lowest member. GPUs belong together
// by Node::domain, else by live NVLink, xGMI and C2C links and the switches between them, else by
// host; ranks by Node::domain, else by host and by shared memory.
std::vector<Domain> find_domains(const Graph& graph);

struct Rail {
  int32_t index = 0;
  std::vector<NodeIndex> nics;    // ascending, those that are down too
  std::vector<NodeIndex> leaves;  // that they are plugged into; ascending
};

// By index. NICs are of one rail by Node::rail where any NIC or leaf has one (a NIC without shares
// its leaf's), else if they share leaves of which none holds two NICs of a host, else by their
// place among the NICs of their host. A leaf that says its rail is of that one, whatever is plugged
// into it; another may be in several.
std::vector<Rail> find_rails(const Graph& graph);

// Whether a link only says that a GPU and a NIC belong together, as fabric files do: its speed is
// not known, while the graph has the PCIe path between the two, which may limit what passes.
bool is_mere_pairing(const Graph& graph, const Link& link);

}  // namespace unirack
