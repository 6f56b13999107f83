// The fabric that ibnetdiscover prints, as a Graph: switches by tier, NICs, cables with their
// rates, and what can be inferred of the machines (ibnetdiscover_machines.h says how), which the
// file does not know. Pure; callable from any thread.
//
// What is inferred is Provenance::assumed. Hosts get one GPU a rail, joined to the NIC of its rail
// (a GPU without one has a warning) and by NVLink to its domain: the rack where its hosts look like
// the trays of an NVL72 (four NICs, 2 to 18 hosts), else the host. Where no host looks as if it had
// GPUs, each gets one rank. Adapters that no host has named stay NICs of no host, since they take
// ports and show what is not provisioned; nothing is inferred for them. SHARP aggregation nodes are
// no NICs but mark their switch as reducing. What is odd in the file is the "warning" of a node,
// with its line.
#pragma once

#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

struct IbnetdiscoverOptions {
  enum class NvlinkDomain : uint8_t { by_shape, per_rack, per_host };

  bool infer_gpus = true;
  NvlinkDomain nvlink_domain = NvlinkDomain::by_shape;
  uint32_t nvlink_count = 18;  // of a GPU
  // Bytes/s of one. 0: 50 GB/s in a domain of a rack or beside NICs above 400 Gbit/s, else 25 GB/s.
  uint64_t nvlink_bandwidth = 0;
};

bool recognises_ibnetdiscover(std::string_view text);
Result<Graph> read_ibnetdiscover(std::string_view text, const ReadOptions& options);
Result<Graph> read_ibnetdiscover(std::string_view text, const ReadOptions& options,
                                 const IbnetdiscoverOptions& inferring);

}  // namespace unirack
