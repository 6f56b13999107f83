// Who is in the pool and how they reach each other: an immutable value, equal on all ranks.
//
// Ranks that all reach each other by load/store form a domain; domains are joined by rails. The sum
// shape is the ordered partition of the ranks that float sums follow (DESIGN.md, "One sum"); it
// depends on homes, or is pinned, and never on the transports in use. What the machines consist of
// is the graph (graph.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/topology/graph.h"

namespace unirack {

enum class LinkClass : uint8_t { self, load_store, message };

struct RankLink {
  LinkClass link_class = LinkClass::message;
  std::string transport;
  uint32_t rail_count = 1;
};

struct TopologySpec {
  int rank_count = 1;
  std::vector<std::string> homes;  // one a rank: ranks of one home belong together
  std::vector<std::string>
      transports;                   // rank_count * rank_count names, symmetric; "" on the diagonal
  std::vector<uint8_t> load_store;  // rank_count * rank_count, symmetric
  std::vector<uint32_t> sum_group_sizes;  // pinned sizes of consecutive groups; empty: by home
  uint32_t rail_count = 1;
  Graph graph;  // what its machines consist of; empty where nobody looked
};

class Topology {
 public:
  static Result<Topology> make(TopologySpec spec);
  // All ranks in consecutive domains of these sizes; message links between, named "tcp".
  static Topology of_domains(const std::vector<uint32_t>& sizes);

  int rank_count() const { return spec_.rank_count; }
  // Domains by lowest rank, members ascending.
  const std::vector<std::vector<Rank>>& domains() const { return domains_; }
  int domain_of(Rank rank) const { return domain_of_[static_cast<size_t>(rank)]; }
  const std::vector<std::vector<Rank>>& sum_groups() const { return sum_groups_; }
  RankLink link(Rank from, Rank to) const;
  // Of the message link that has the fewest.
  uint32_t rail_count() const { return spec_.rail_count; }
  // The machines and what joins them, with a rank node for every rank. It has a hash of its own.
  const Graph& graph() const { return spec_.graph; }
  // Equal on ranks that see the same pool; of the facts above, which plans follow.
  uint64_t hash() const { return hash_; }
  // A few lines for people: domains, their ranks, what joins them.
  std::string to_text() const;

 private:
  TopologySpec spec_;
  std::vector<std::vector<Rank>> domains_;
  std::vector<int> domain_of_;
  std::vector<std::vector<Rank>> sum_groups_;
  uint64_t hash_ = 0;
};

}  // namespace unirack
