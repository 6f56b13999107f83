// The pool as a simulation sees it: resources with a rate, each of one direction, and for every
// message the resources that its bytes pass. Made once from a topology, a shape or a graph; no
// resource is faster than the graph says, what is down carries nothing, so no simulation beats a
// bound. Owned by whoever plans. Paths are found when they are first asked for and remembered, so
// one thread at a time may ask.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collectives/simulate/costs.h"
#include "lib/base/result.h"
#include "lib/topology/topology.h"

namespace unirack {

struct Resource {
  std::string name;        // "gpu3 > nvswitch", "rank 3 out"
  uint64_t bandwidth = 0;  // bytes/s; above 0
};

// All bytes of a message pass a resource of which it uses this share.
inline constexpr uint64_t kWholeShare = 720'720;  // divisible by everything up to 16

struct ResourceUse {
  uint32_t resource = 0;
  uint32_t share = 0;

  friend bool operator==(const ResourceUse&, const ResourceUse&) = default;
};

struct MessageRoute {
  LinkCosts costs;
  std::vector<ResourceUse> uses;  // ascending by resource
};

// What messages of a transport are charged as; `fallback` where it does not say.
LinkKind link_kind_of(std::string_view transport, LinkKind fallback);

// Finds paths; one for each way of describing a pool.
class Router {
 public:
  virtual ~Router() = default;
  // False: there is no way. Lane l takes path l mod paths.
  virtual bool find(Rank from, Rank to, int lane, MessageRoute& route) = 0;
};

// A pool of which only the shape is known: each rank has a port into its domain, and each domain or
// each rank its rails.
struct PoolShape {
  std::vector<uint32_t> domain_of;  // by rank
  LinkKind inner = LinkKind::shared_memory;
  LinkKind outer = LinkKind::ethernet;
  uint32_t rail_count = 1;
  bool has_rails_per_rank = false;  // else those of a domain are shared by its ranks
};

class Network {
 public:
  // Rates are those of `costs`; a domain of one rank has no port.
  static Result<Network> of_shape(const PoolShape& shape, const Costs& costs);
  // By its domains, transports and rails. Its graph is not looked at.
  static Result<Network> of_topology(const Topology& topology, const Costs& costs);
  // Ranks are the members, in their order. Messages take the shortest way: within a machine or
  // NVLink domain first over NVLink and its like, outside from the nearest NIC to the nearest NIC,
  // of one rail if there are several, one a lane. What has several shortest ways is spread over
  // them. `graph` must outlive the network.
  static Result<Network> of_graph(const Graph& graph, const Costs& costs);

  int rank_count() const { return rank_count_; }
  const std::vector<Resource>& resources() const { return resources_; }
  const Costs& costs() const { return costs_; }
  bool find(Rank from, Rank to, int lane, MessageRoute& route) const {
    return router_->find(from, to, lane, route);
  }
  // What a rank is called where the network knows more than its number; else empty.
  const std::string& rank_name(Rank rank) const;

 private:
  Network() = default;

  int rank_count_ = 0;
  Costs costs_;
  std::vector<Resource> resources_;
  std::vector<std::string> rank_names_;
  std::unique_ptr<Router> router_;
};

}  // namespace unirack
