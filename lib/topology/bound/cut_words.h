// Turns a cut that a search has found into nodes, links and words. The side with fewer members is
// named, by the widest name that fits it: a rack, a domain, a machine, a GPU. Pure functions,
// callable from any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/topology/bound/bound.h"

namespace unirack {

// `entering`: the limit is on what enters the places, else on what leaves them.
Cut describe_cut(const Graph& graph, const CutNetwork& network, std::span<const uint32_t> places,
                 bool entering);

// The same side, limited the other way: for networks that carry the same both ways.
Cut reversed_cut(const Graph& graph, const Cut& cut);

// What members are grouped by, and the name of the group of each member in Graph::members();
// empty: none.
enum class MemberGroup : uint8_t { rack, domain, host };
using MemberLabels = std::vector<std::string>;
MemberLabels labels_of(const Graph& graph, MemberGroup kind);

// "8 GPUs of box1", "GPU box0/gpu3", "14 GPUs: all but box0/gpu2, box0/gpu3"
std::string name_members(const Graph& graph, std::span<const NodeIndex> members);

}  // namespace unirack
