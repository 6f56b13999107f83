#include "collectives/simulate/network.h"

#include <algorithm>
#include <utility>

namespace unirack {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

// Resources of a pool by shape, and where they stand.
struct ShapeResources {
  std::vector<Resource> all;
  std::vector<uint32_t> port;  // by rank: out, then in; kNone: none
  std::vector<uint32_t> rail;  // by owner: its rails, each out, then in
};

class ShapeRouter : public Router {
 public:
  ShapeRouter(PoolShape shape, const Costs& costs, const ShapeResources& resources)
      : shape_(std::move(shape)),
        inner_(costs.of(shape_.inner)),
        outer_(costs.of(shape_.outer)),
        port_(resources.port),
        rail_(resources.rail) {}

  bool find(Rank from, Rank to, int lane, MessageRoute& route) override {
    route.uses.clear();
    if (from == to) {
      route.costs = {};
      return true;
    }
    const auto source = static_cast<size_t>(from);
    const auto target = static_cast<size_t>(to);
    const bool is_inside = shape_.domain_of[source] == shape_.domain_of[target];
    route.costs = is_inside ? inner_ : outer_;
    if (is_inside) {
      add(port_[source], 0, route);
      add(port_[target], 1, route);
    } else {
      const auto rail = static_cast<uint32_t>(lane) % shape_.rail_count;
      add(rail_[owner(source) * shape_.rail_count + rail], 0, route);
      add(rail_[owner(target) * shape_.rail_count + rail], 1, route);
    }
    if (route.uses.size() == 2 && route.uses[0].resource > route.uses[1].resource) {
      std::swap(route.uses[0], route.uses[1]);
    }
    return true;
  }

 private:
  size_t owner(size_t rank) const {
    return shape_.has_rails_per_rank ? rank : shape_.domain_of[rank];
  }
  static void add(uint32_t first, uint32_t direction, MessageRoute& route) {
    if (first == kNone) return;
    route.uses.push_back({first + direction, static_cast<uint32_t>(kWholeShare)});
  }

  PoolShape shape_;
  LinkCosts inner_;
  LinkCosts outer_;
  std::vector<uint32_t> port_;
  std::vector<uint32_t> rail_;
};

// Out and in of one name.
uint32_t add_pair(std::vector<Resource>& all, const std::string& name, uint64_t bandwidth) {
  if (bandwidth == 0) return kNone;
  all.push_back({name + " out", bandwidth});
  all.push_back({name + " in", bandwidth});
  return static_cast<uint32_t>(all.size() - 2);
}

ShapeResources make_resources(const PoolShape& shape, const Costs& costs) {
  ShapeResources made;
  const size_t ranks = shape.domain_of.size();
  const uint32_t domains = *std::max_element(shape.domain_of.begin(), shape.domain_of.end()) + 1;
  std::vector<uint32_t> sizes(domains, 0);
  for (const uint32_t domain : shape.domain_of) ++sizes[domain];
  for (size_t rank = 0; rank < ranks; ++rank) {
    const bool has_port = sizes[shape.domain_of[rank]] > 1;
    made.port.push_back(has_port ? add_pair(made.all, "rank " + std::to_string(rank),
                                            costs.of(shape.inner).bandwidth)
                                 : kNone);
  }
  const size_t owners = domains == 1 ? 0 : shape.has_rails_per_rank ? ranks : domains;
  for (size_t owner = 0; owner < owners; ++owner) {
    const std::string name =
        (shape.has_rails_per_rank ? "rank " : "domain ") + std::to_string(owner);
    for (uint32_t rail = 0; rail < shape.rail_count; ++rail) {
      made.rail.push_back(add_pair(made.all, name + " rail " + std::to_string(rail),
                                   costs.of(shape.outer).bandwidth));
    }
  }
  return made;
}

}  // namespace

LinkKind link_kind_of(std::string_view transport, LinkKind fallback) {
  if (transport == "nvlink") return LinkKind::nvlink;
  if (transport == "verbs" || transport == "ucx") return LinkKind::infiniband;
  if (transport == "shm" || transport == "loopback") return LinkKind::shared_memory;
  if (transport == "tcp") return LinkKind::ethernet;
  return fallback;
}

Result<Network> Network::of_shape(const PoolShape& shape, const Costs& costs) {
  if (shape.domain_of.empty() || shape.rail_count == 0) {
    return make_error(Code::invalid_argument, "a pool needs a rank and a rail to be simulated");
  }
  Network network;
  network.rank_count_ = static_cast<int>(shape.domain_of.size());
  network.costs_ = costs;
  ShapeResources made = make_resources(shape, costs);
  network.router_ = std::make_unique<ShapeRouter>(shape, costs, made);
  network.resources_ = std::move(made.all);
  return network;
}

Result<Network> Network::of_topology(const Topology& topology, const Costs& costs) {
  PoolShape shape;
  const auto& domains = topology.domains();
  for (Rank rank = 0; rank < topology.rank_count(); ++rank) {
    shape.domain_of.push_back(static_cast<uint32_t>(topology.domain_of(rank)));
  }
  for (const auto& domain : domains) {
    if (domain.size() < 2) continue;
    shape.inner = link_kind_of(topology.link(domain[0], domain[1]).transport, shape.inner);
    break;
  }
  if (domains.size() > 1) {
    const RankLink link = topology.link(domains[0][0], domains[1][0]);
    shape.outer = link_kind_of(link.transport, shape.outer);
    shape.rail_count = std::max(1u, link.rail_count);
  }
  return of_shape(shape, costs);
}

const std::string& Network::rank_name(Rank rank) const {
  static const std::string unnamed;
  const auto index = static_cast<size_t>(rank);
  return index < rank_names_.size() ? rank_names_[index] : unnamed;
}

}  // namespace unirack
