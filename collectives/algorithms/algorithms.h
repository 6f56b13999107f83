// Every algorithm there is: one family a file, each generator a pure function of (topology,
// request, lanes), all of them in one table. Callable from any thread. A generator promises a
// schedule that verify() proves for every rank count and domain sizes for which `unfit` has no
// objection.
//
// Costs are per rank, n ranks and blocks of B bytes: steps is the longest chain of messages that
// wait for each other, written the bytes put into peers' memory by the busiest rank.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "collectives/schedule.h"
#include "lib/topology/topology.h"

namespace unirack {

struct Algorithm {
  std::string_view name;
  Collective collective = Collective::barrier;
  Result<Schedule> (*generate)(const Topology&, const Request&, int lanes) = nullptr;
  // Why it cannot serve this topology and request; empty: it can.
  std::string (*unfit)(const Topology&, const Request&) = nullptr;
  bool reassociates = false;
  std::string_view cost;
};

std::span<const Algorithm> algorithms();
const Algorithm* find_algorithm(Collective collective, std::string_view name);

// More chunks or ranks than this make plans too large to hold and verify.
inline constexpr uint32_t kChunksMax = 4096;

// direct.cc: every rank talks to every other
Result<Schedule> all_reduce_one_shot(const Topology&, const Request&, int lanes);
Result<Schedule> all_reduce_two_shot(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_direct(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_two_shot(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_scatter_direct(const Topology&, const Request&, int lanes);

// pull.cc: reads peers' symmetric buffers where they lie
Result<Schedule> all_reduce_two_shot_pull(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_direct_pull(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_scatter_direct_pull(const Topology&, const Request&, int lanes);

// direct_move.cc
Result<Schedule> all_gather_direct(const Topology&, const Request&, int lanes);
Result<Schedule> broadcast_direct(const Topology&, const Request&, int lanes);
Result<Schedule> broadcast_scatter_all_gather(const Topology&, const Request&, int lanes);
Result<Schedule> gather_direct(const Topology&, const Request&, int lanes);
Result<Schedule> scatter_direct(const Topology&, const Request&, int lanes);
Result<Schedule> send_recv_pair(const Topology&, const Request&, int lanes);
Result<Schedule> barrier_records(const Topology&, const Request&, int lanes);

// pairwise.cc
Result<Schedule> all_to_all_pairwise(const Topology&, const Request&, int lanes);
Result<Schedule> all_to_all_pairwise_staged(const Topology&, const Request&, int lanes);
Result<Schedule> all_to_all_v_pairwise(const Topology&, const Request&, int lanes);

// halving_doubling.cc, recursive_doubling.cc: along the sum tree, every rank busy
Result<Schedule> all_reduce_halving_doubling(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_halving_doubling(const Topology&, const Request&, int lanes);
Result<Schedule> broadcast_halving_doubling(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_scatter_halving(const Topology&, const Request&, int lanes);
Result<Schedule> all_reduce_recursive_doubling(const Topology&, const Request&, int lanes);
Result<Schedule> all_gather_recursive_doubling(const Topology&, const Request&, int lanes);

// knomial.cc: along a tree, leaders only; the radix, a power of two, is the most children of a node
Result<Schedule> reduce_knomial(const Topology&, const Request&, int lanes, int radix);
Result<Schedule> all_reduce_knomial(const Topology&, const Request&, int lanes, int radix);
Result<Schedule> broadcast_knomial(const Topology&, const Request&, int lanes, int radix);
Result<Schedule> gather_knomial(const Topology&, const Request&, int lanes, int radix);
Result<Schedule> scatter_knomial(const Topology&, const Request&, int lanes, int radix);

// ring.cc
Result<Schedule> all_reduce_ring(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_scatter_ring(const Topology&, const Request&, int lanes);
Result<Schedule> all_gather_ring(const Topology&, const Request&, int lanes);

// bruck.cc: any radix from 2 up
Result<Schedule> all_gather_bruck(const Topology&, const Request&, int lanes, int radix);
Result<Schedule> all_to_all_bruck(const Topology&, const Request&, int lanes, int radix);

// two_level.cc: domains and rails, every member a leader
std::string two_level_unfit(const Topology&, const Request&);
std::string two_level_weighted_unfit(const Topology&, const Request&);
std::string two_level_halving_unfit(const Topology&, const Request&);
std::string three_level_unfit(const Topology&, const Request&);
Result<Schedule> all_reduce_two_level(const Topology&, const Request&, int lanes);
Result<Schedule> all_reduce_two_level_pipelined(const Topology&, const Request&, int lanes);
Result<Schedule> all_reduce_two_level_weighted(const Topology&, const Request&, int lanes);
Result<Schedule> all_reduce_two_level_halving(const Topology&, const Request&, int lanes);
Result<Schedule> all_reduce_three_level(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_multi_leader(const Topology&, const Request&, int lanes);
Result<Schedule> broadcast_multi_leader(const Topology&, const Request&, int lanes);

// single_leader.cc: domains and rails, one leader a domain
Result<Schedule> all_reduce_single_leader(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_two_level(const Topology&, const Request&, int lanes);
Result<Schedule> broadcast_two_level(const Topology&, const Request&, int lanes);

// rail_aligned.cc: blocks cross over the rails of those who hold their owner's place
Result<Schedule> reduce_scatter_two_level(const Topology&, const Request&, int lanes);
Result<Schedule> reduce_scatter_two_level_pipelined(const Topology&, const Request&, int lanes);
Result<Schedule> all_gather_two_level(const Topology&, const Request&, int lanes);
Result<Schedule> all_gather_two_level_pipelined(const Topology&, const Request&, int lanes);
Result<Schedule> all_to_all_two_level(const Topology&, const Request&, int lanes);
Result<Schedule> all_to_all_two_level_staged(const Topology&, const Request&, int lanes);

// forest.cc: packed spanning trees over the graph of the pool, for
// all-gather, broadcast, reduce-scatter, reduce, all-reduce
std::string forest_unfit(const Topology&, const Request&);
std::string forest_exact_unfit(const Topology&, const Request&);
Result<Schedule> forest_of_few(const Topology&, const Request&, int lanes);
Result<Schedule> forest_exact(const Topology&, const Request&, int lanes);
// Of k trees for each root. By tree, each link is shared as the trees load it, which takes more
// lanes and messages than plans are made of: as many as there are lanes for, else by depth.
enum class ForestLanes : uint8_t { by_depth, by_tree };
Result<Schedule> forest_with(const Topology&, const Request&, uint32_t k,
                             ForestLanes lanes = ForestLanes::by_depth);

}  // namespace unirack
