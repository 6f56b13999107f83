// Small graphs made by hand for the tests of pictures and of the tool. They build or the test ends.
#pragma once

#include "lib/topology/graph.h"

namespace unirack::testing {

// A machine of two NUMA nodes, each with one PCIe switch, two GPUs and one NIC; an NVSwitch of six
// links of 25 GB/s a GPU. The NIC of the second NUMA node is trained to half its width.
Graph sample_machine();

// Racks of two trays of two GPUs and two NICs, one NVLink domain a rack, one leaf a rail and rack,
// two spines. With faults: the last rack has no NIC on rail 1 in its first tray, one link of a leaf
// to a spine is down, one GPU is down.
Graph sample_pool(int racks, bool has_faults);

}  // namespace unirack::testing
