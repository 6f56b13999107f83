// Which machines the adapters of an InfiniBand fabric belong to, and how they are placed: hosts,
// their rails and their racks. ibnetdiscover says none of this; it follows from the descriptions
// that hosts give their adapters ("node12 mlx5_3") and from who is plugged into which switch.
//
// - An adapter whose description is not a machine's own ("MT4129 ConnectX7", "localhost HCA-1")
//   was not provisioned: it is a NIC of no host.
// - Hosts with the same devices are of one make. A host that lacks some of the devices of a more
//   common make is of that make too, if it has more than half of them or is named like its hosts.
//   Makes of four NICs and more carry GPUs; where there are none, those of two and three.
// - The n-th device of a make, in the order of their numbers, is rail n.
// - Leaves that share most of their hosts, and those hosts, are a rack. More hosts than fit into a
//   rack of trays are divided where their names, without the last number, say so.
// Pure; callable from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/topology/formats/ibnetdiscover_text.h"

namespace unirack {

inline constexpr int32_t kNone = -1;
inline constexpr size_t kTraysPerRackMax = 18;  // of a GB200 NVL72
inline constexpr size_t kTrayNics = 4;

struct IbNic {  // a port of an adapter
  uint32_t node = 0;
  uint32_t port = 1;
  std::string device;    // "mlx5_0", its second port "mlx5_0:2"
  int32_t host = kNone;  // of IbMachines::hosts
  int32_t peer = kNone;  // the node it is plugged into
  int32_t rail = kNone;  // of hosts with GPUs, and of all where there are none
};

struct IbHost {
  std::string name;
  std::vector<uint32_t> nics;  // by device
  uint32_t gpu_count = 0;      // the NICs of its make
  int32_t rack = kNone;
};

struct IbRack {
  std::string name;
  std::vector<uint32_t> hosts;
  bool of_trays = false;  // its hosts look like those of one NVL72
};

struct IbSwitch {  // by node; of other nodes empty
  int32_t rack = kNone;
  int32_t rail = kNone;
  bool has_adapters = false;
  bool has_gpu_hosts = false;
  bool aggregates = false;  // has a SHARP aggregation node
};

struct IbMachines {
  std::vector<IbNic> nics;
  std::vector<IbHost> hosts;  // in natural order
  std::vector<IbRack> racks;  // by first host
  std::vector<IbSwitch> switches;
  std::vector<std::pair<uint32_t, std::string>> warnings;  // of NICs
};

// An adapter that its switch itself is: the aggregation node of SHARP.
bool is_aggregation_node(const IbNode& node);
IbMachines find_machines(const IbFabric& fabric);

}  // namespace unirack
