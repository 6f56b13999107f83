#include "tests/support/fabric_pools.h"

#include <map>

#include "lib/topology/generate/generate.h"
#include "lib/topology/reach.h"

namespace unirack::testing {

Result<Topology> pool_of_fabric(const std::string& spec, const std::string& fault) {
  TopologySpec pool;
  pool.graph = UNIRACK_TRY(generate(spec));
  if (!fault.empty()) pool.graph = UNIRACK_TRY(with_fault(pool.graph, fault));
  const auto& members = pool.graph.members();
  pool.rank_count = static_cast<int>(members.size());
  std::map<NodeIndex, std::string> home_of;
  for (const Domain& domain : find_domains(pool.graph)) {
    for (const NodeIndex member : domain.members) home_of[member] = domain.name;
  }
  for (const NodeIndex member : members) pool.homes.push_back(home_of[member]);
  for (size_t from = 0; from < members.size(); ++from) {
    for (size_t to = 0; to < members.size(); ++to) {
      const bool is_near = pool.homes[from] == pool.homes[to];
      pool.transports.emplace_back(from == to ? "" : is_near ? "nvlink" : "verbs");
      pool.load_store.push_back(is_near ? 1 : 0);
    }
  }
  return Topology::make(std::move(pool));
}

}  // namespace unirack::testing
