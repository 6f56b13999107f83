// NCCL's topology file (NCCL_TOPO_FILE, NCCL_TOPO_DUMP_FILE) and RCCL's, which has <xgmi>. Pure.
//
// Reading: <cpu> is a NUMA node, <pci> a bridge, a GPU or a NIC by what it holds or by its class,
// <net> a NIC port; NVSwitches of one file are one node. What the graph does not model stays as
// attributes, so that reading and writing keep every attribute that NCCL reads. A bridge at 2.5
// GT/s x1 above faster devices is a virtual one: its rate is taken as not known.
//
// Writing: a graph from elsewhere becomes a file that NCCL accepts. Several hosts are told apart by
// host_hash; a host of more than 256 elements is refused, as NCCL refuses it. Leaves and spines
// have no place in this format.
#pragma once

#include <string>
#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

inline constexpr size_t kNcclElementsMax = 256;   // a host; NCCL_TOPO_XML_MAX_NODES
inline constexpr size_t kNcclAttributesMax = 32;  // an element; NCCL keeps 16

bool recognises_nccl_xml(std::string_view text);
Result<Graph> read_nccl_xml(std::string_view text, const ReadOptions& options);
Result<std::string> write_nccl_xml(const Graph& graph);

// What both directions know of an element: its attributes that are kept under their own name.
// Others are kept as "ELEMENT.NAME".
inline constexpr std::string_view kNcclPciNames[] = {
    "class",      "vendor",    "device", "subsystem_vendor", "subsystem_device",
    "link_speed", "link_width"};
inline constexpr std::string_view kNcclGpuNames[] = {"dev", "sm",      "gcn", "arch",
                                                     "gdr", "mlopart", "keep"};
inline constexpr std::string_view kNcclNetNames[] = {"dev",     "port", "latency", "guid",
                                                     "maxconn", "gdr",  "coll",    "plane"};
inline constexpr std::string_view kNcclCpuNames[] = {"host_hash", "affinity", "arch",
                                                     "vendor",    "familyid", "modelid"};

}  // namespace unirack
