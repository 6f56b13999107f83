// What the families are made of: machines with GPUs, an NVLink domain and NICs; leaves and spines.
// Remembers the first failure, which `build` returns, so that generators read straight on. Owned by
// one call of a generator.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

// Where a node stands.
struct Location {
  std::string host;
  std::string rack;
  std::string domain;
};

class FabricBuilder {
 public:
  // The index is meaningless after a failure.
  NodeIndex add(NodeKind kind, const std::string& name, const Location& place = {}, int rail = -1);
  NodeIndex add_gpu(const Location& place, uint32_t index, std::string_view model);
  // Paired with a GPU at a rate that nobody states.
  NodeIndex add_nic(const Location& place, uint32_t index, int rail, NodeIndex gpu);
  // Both ways; a bandwidth of 0 is not known.
  void join(NodeIndex a, NodeIndex b, LinkKind kind, uint64_t bandwidth, uint32_t count = 1);

  Result<Graph> build(std::string_view spec);

 private:
  GraphBuilder builder_;
  std::optional<Error> error_;
};

// A leaf and what is plugged into it.
struct Leaf {
  NodeIndex node = 0;
  uint32_t port_count = 0;
};

// Joins each leaf to the spines by ports * 1000 / oversubscription links, spread evenly; where they
// do not go round, over the same first spines for every leaf, so that all stay connected.
void add_spines(FabricBuilder& fabric, const std::vector<Leaf>& leaves, uint32_t spine_count,
                uint32_t oversubscription_thousandths, uint64_t bandwidth);

}  // namespace unirack
