// Faults and stragglers of a simulation as options: --slow LINK=50%, --slow-rank 3=50%, --late-rank
// 3=20us, --kill-rank 3.
#pragma once

#include <string>
#include <vector>

#include "collectives/simulate/simulate.h"

namespace unirack::topo {

class CommandLine;

struct WhatIf {
  std::vector<std::string> slow_links;
  std::vector<std::string> slow_ranks;
  std::vector<std::string> late_ranks;
  std::vector<std::string> dead_ranks;
};

void add_what_if(CommandLine& command, WhatIf& what_if);

// Puts them into `options`. LINK stands for all resources of the network whose name contains it;
// there must be one.
Status apply(const WhatIf& what_if, const Network& network, SimulateOptions& options);

}  // namespace unirack::topo
