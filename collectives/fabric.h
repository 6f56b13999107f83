// What a communicator stands on: open transports, its inbox and scratch, a link to every peer.
//
// open() makes what needs no peer; connect() joins the pool's ranks pair by pair, best transport
// first, falling back together where one end fails. Owned by the Engine afterwards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collectives/card.h"
#include "collectives/peer_link.h"
#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/base/result.h"
#include "lib/control/control_plane.h"
#include "lib/memory/shared_memory.h"
#include "lib/topology/topology.h"
#include "transports/registry.h"
#include "transports/transport.h"

namespace unirack {

// Members die from the last to the first: links, registrations, memory, transports.
struct Fabric {
  struct Open {
    std::unique_ptr<Transport> transport;  // null: not available here
    std::string why_not;
  };

  Rank rank = 0;
  int rank_count = 1;
  std::vector<Open> transports;  // in the order of transport_table()
  SharedMemory inbox;
  SharedMemory scratch;
  uint64_t window_bytes = 0;
  std::vector<std::unique_ptr<Registration>> registrations;  // inbox, scratch a transport
  std::vector<PeerLink> links;                               // by rank
  std::vector<std::string> hosts;                            // by rank
  // What the rank that speaks for this machine sees of it (lib/topology/pool.h). If it is known
  // before connect(), as from an earlier pool, it is not discovered again.
  std::vector<std::byte> machine_view;
  std::vector<std::string> contradictions;  // between views of the machines
  Topology topology = Topology::of_domains({1});

  static Result<std::unique_ptr<Fabric>> open(const TransportContext& context);
  Card card(const std::string& domain) const;
  Status connect(ControlPlane& control, const Config& config, Deadline deadline);
  // Who joins whom by what, for people.
  std::string describe() const;
  // Ranks on this machine, this one included.
  int local_rank_count() const;
};

}  // namespace unirack
