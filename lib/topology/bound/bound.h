// How fast a collective can be on a graph: exact optima as fractions, each with the cut that limits
// it. No schedule, simulation or measurement beats them as long as bandwidths are nominal.
//
// All-gather of M bytes over N members takes M/N * max |S & members| / B(S) over all node sets S
// that leave a member out, B being the bandwidth leaving S; packings of Steiner out-trees reach it
// (ForestColl, arXiv 2402.06787, after Edmonds, "Edge-disjoint branchings", 1973). Reduce-scatter
// is its mirror image, broadcast the smallest cut between the root and a member. The maximum is
// found by Newton's iteration on the ratio over integer maximum flows; nothing is rounded. A
// bandwidth that is not known limits nothing, what is down carries nothing. Built for one graph,
// which must outlive it; const calls from any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/topology/bound/cut_network.h"
#include "lib/topology/bound/rational.h"
#include "lib/topology/graph.h"

namespace unirack {

// Why it cannot be faster: some nodes, and all links that enter (or leave) them.
struct Cut {
  std::vector<NodeIndex> nodes;  // the smaller side, ascending; empty: nothing limits
  std::vector<LinkIndex> links;  // that cross in the limiting direction, ascending
  bool entering = true;          // the links enter `nodes`, else they leave
  uint32_t member_count = 0;     // of `nodes`
  Wide bandwidth = 0;            // bytes/s of the links
  std::string words;             // "8 GPUs of box1 behind 200 GB/s"
};

struct Bound {
  Rational algbw = kUnlimited;  // bytes/s as nccl-tests counts them; 0: somebody is cut off
  Cut cut;
};

struct AllReduceBound {
  // The optimum of a reduce-scatter followed by an all-gather.
  Rational algbw;
  Bound reduce_scatter;
  Bound all_gather;
  // What no all-reduce beats that sums and copies only at members. Each element takes 2(k - 1)
  // messages between k groups (one-way gossip: Harary and Schwenk 1974), and what crosses any cut
  // does so once.
  Bound any;
  // What none beats although switches sum: every cut carries the result once. Only where there are
  // such switches.
  std::optional<Bound> in_switch;
};

struct AllToAllBound {
  Rational algbw;  // the smaller of both; bytes/s of a member's whole buffer
  // Over the cuts around members, hosts, domains and racks and those that limit the all-gather.
  Bound cut;
  // Every byte occupies the links of a shortest path. Not computed for very large graphs.
  std::optional<Rational> distance;
};

// A forest of k trees per root that sends M bytes in M * scale / (k * N).
struct Trees {
  uint64_t per_root = 0;  // k
  Rational scale;         // U, seconds per byte: floor(U * bandwidth) trees use a link
  Bound bound;
};

struct Latency {
  uint64_t ns = 0;
  NodeIndex from = 0;
  NodeIndex to = 0;
};

class Bounds {
 public:
  explicit Bounds(const Graph& graph) : graph_(graph), network_(cut_network_of(graph)) {}
  explicit Bounds(Graph&& graph) = delete;

  Bound all_gather() const;
  Bound reduce_scatter() const;
  // `root` is a member.
  Bound broadcast(NodeIndex root) const;
  Bound reduce(NodeIndex root) const;
  AllReduceBound all_reduce() const;
  AllToAllBound all_to_all() const;

  // The smallest forest that reaches the all-gather optimum.
  Result<Trees> optimal_trees() const;
  // The best all-gather of k trees per root.
  Result<Trees> fixed_trees(uint64_t k) const;

  // The farthest two members lie apart at least. Latencies that are not known count nothing; none
  // known, or a graph so large that it would take long: nothing.
  std::optional<Latency> farthest() const;

  const Graph& graph() const { return graph_; }
  const CutNetwork& network() const { return network_; }

 private:
  const Graph& graph_;
  CutNetwork network_;
};

// Why nothing can reach this algorithm bandwidth, in words; empty: the bound allows it.
std::string refute(const Bound& bound, Rational algbw);
std::string refute(const AllToAllBound& bound, Rational algbw);

// "346.667 GB/s"
std::string rate_text(Rational bytes_per_s);

}  // namespace unirack
