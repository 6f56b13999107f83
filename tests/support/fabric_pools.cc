#include "tests/support/fabric_pools.h"

#include <gtest/gtest.h>

#include "lib/topology/generate/generate.h"
#include "perf/topo/pool_graph.h"

namespace unirack::testing {

Graph fabric(const std::string& spec, const std::string& fault) {
  Result<Graph> graph = generate(spec);
  EXPECT_TRUE(graph) << graph.error().detail;
  if (fault.empty()) return std::move(graph).value();
  Result<Graph> broken = with_fault(*graph, fault);
  EXPECT_TRUE(broken) << broken.error().detail;
  return std::move(broken).value();
}

Topology pool_of(const Graph& graph) {
  Result<Topology> pool = topo::pool_of_graph(graph);
  EXPECT_TRUE(pool) << pool.error().detail;
  return std::move(pool).value();
}

}  // namespace unirack::testing
