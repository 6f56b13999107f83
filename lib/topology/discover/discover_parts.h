// The readers that discovery is made of, one file each. Each adds what it finds to the facts and,
// where something could not be read, a note in words; none fails. Sysfs readers work on any root.
#pragma once

#include <string>

#include "lib/topology/discover/machine.h"
#include "lib/topology/discover/sysfs.h"

namespace unirack {

// CPUs by NUMA node, and which processor it is.
void read_numa(Sysfs& sysfs, MachineFacts& facts);
// GPUs, NICs, NVSwitches and the bridges above them.
void read_pci(Sysfs& sysfs, MachineFacts& facts);
// Ports of RDMA devices and network interfaces that have a PCI device.
void read_nics(Sysfs& sysfs, MachineFacts& facts);
// AMD's GPUs and their xGMI links.
void read_kfd(Sysfs& sysfs, MachineFacts& facts);
// Cores, caches and packages, with hwloc; a note if the build has none. hwloc reads this machine,
// or the tree that the environment variable HWLOC_FSROOT named when the program started.
void read_hwloc(const Sysfs& sysfs, MachineFacts& facts);
// GPUs, NVLinks and the fabric; `library` empty: as installed.
void read_nvml(const std::string& library, MachineFacts& facts);

// The trained link is that of the slower end; possible is what both ends can do.
PcieLink combine_ends(const PcieLink& device, const PcieLink& port);

}  // namespace unirack
