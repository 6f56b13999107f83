#include "collectives/algorithms/algorithms.h"

#include <algorithm>

namespace unirack {

namespace {

using C = Collective;

std::string fits_all(const Topology&, const Request&) { return {}; }

std::string needs_out_of_place(const Topology&, const Request& request) {
  return request.in_place ? "input and output share memory" : "";
}

std::string needs_symmetric(const Topology& topology, const Request& request) {
  if (!request.symmetric) return "the buffers are private";
  return topology.domains().size() > 1 ? "ranks of other domains cannot be read in place" : "";
}

std::string two_level_out_of_place_unfit(const Topology& topology, const Request& request) {
  const std::string why = needs_out_of_place(topology, request);
  return why.empty() ? two_level_unfit(topology, request) : why;
}

constexpr Algorithm kAlgorithms[] = {
    {"one_shot", C::all_reduce, all_reduce_one_shot, fits_all, false, "1 step, (n-1) B"},
    {"two_shot", C::all_reduce, all_reduce_two_shot, fits_all, false, "2 steps, 2 B (n-1)/n"},
    {"two_shot_pull", C::all_reduce, all_reduce_two_shot_pull, needs_symmetric, false,
     "3 steps, reads 2 B (n-1)/n"},
    {"recursive_doubling", C::all_reduce, all_reduce_recursive_doubling, fits_all, false,
     "log2 n steps, B log2 n"},
    {"halving_doubling", C::all_reduce, all_reduce_halving_doubling, fits_all, false,
     "2 log2 n steps, 2 B (n-1)/n"},
    {"binomial", C::all_reduce, all_reduce_binomial, fits_all, false, "2 log2 n steps, B log2 n"},
    {"ring", C::all_reduce, all_reduce_ring, fits_all, true, "2 (n-1) steps, 2 B (n-1)/n"},
    {"two_level", C::all_reduce, all_reduce_two_level, two_level_unfit, false,
     "4 steps, 2 B (s-1)/s within, 2 B/s (k-1)/k across"},
    {"forest", C::all_reduce, forest_of_few, forest_unfit, true,
     "trees up and down, what links allow"},
    {"direct", C::reduce, reduce_direct, fits_all, false, "1 step, B"},
    {"two_shot", C::reduce, reduce_two_shot, fits_all, false, "2 steps, B"},
    {"direct_pull", C::reduce, reduce_direct_pull, needs_symmetric, false,
     "2 steps, root reads (n-1) B"},
    {"binomial", C::reduce, reduce_binomial, fits_all, false, "log2 n steps, B"},
    {"two_level", C::reduce, reduce_two_level, two_level_unfit, false, "2 steps, B"},
    {"forest", C::reduce, forest_of_few, forest_unfit, true, "trees up, what links allow"},
    {"direct", C::reduce_scatter, reduce_scatter_direct, fits_all, false, "1 step, (n-1) B"},
    {"direct_pull", C::reduce_scatter, reduce_scatter_direct_pull, needs_symmetric, false,
     "2 steps, reads (n-1) B"},
    {"halving", C::reduce_scatter, reduce_scatter_halving, fits_all, false,
     "log2 n steps, (n-1) B"},
    {"ring", C::reduce_scatter, reduce_scatter_ring, fits_all, true, "n-1 steps, (n-1) B"},
    {"two_level", C::reduce_scatter, reduce_scatter_two_level, two_level_unfit, false,
     "2 steps, (n-k) B within, (k-1) B across"},
    {"forest", C::reduce_scatter, forest_of_few, forest_unfit, true, "trees up, what links allow"},
    {"direct", C::all_gather, all_gather_direct, fits_all, false, "1 step, (n-1) B"},
    {"recursive_doubling", C::all_gather, all_gather_recursive_doubling, fits_all, false,
     "log2 n steps, (n-1) B"},
    {"bruck", C::all_gather, all_gather_bruck, fits_all, false, "log2 n steps, (n-1) B"},
    {"ring", C::all_gather, all_gather_ring, fits_all, false, "n-1 steps, (n-1) B"},
    {"two_level", C::all_gather, all_gather_two_level, two_level_unfit, false,
     "2 steps, (k-1) B across"},
    {"forest", C::all_gather, forest_of_few, forest_unfit, false, "trees down, what links allow"},
    {"forest_exact", C::all_gather, forest_exact, forest_exact_unfit, false,
     "as many trees as the optimum takes"},
    {"direct", C::broadcast, broadcast_direct, fits_all, false, "1 step, root (n-1) B"},
    {"scatter_all_gather", C::broadcast, broadcast_scatter_all_gather, fits_all, false,
     "2 steps, B"},
    {"binomial", C::broadcast, broadcast_binomial, fits_all, false, "log2 n steps, root B log2 n"},
    {"two_level", C::broadcast, broadcast_two_level, two_level_unfit, false,
     "2 steps, (k-1) B across"},
    {"forest", C::broadcast, forest_of_few, forest_unfit, false, "trees down, what links allow"},
    {"pairwise", C::all_to_all, all_to_all_pairwise, needs_out_of_place, false, "1 step, (n-1) B"},
    {"pairwise_staged", C::all_to_all, all_to_all_pairwise_staged, fits_all, false,
     "1 step, (n-1) B and a copy of it"},
    {"bruck", C::all_to_all, all_to_all_bruck, fits_all, false, "log2 n steps, n/2 log2 n B"},
    {"two_level", C::all_to_all, all_to_all_two_level, two_level_out_of_place_unfit, false,
     "2 steps, (n-1) B in n-s messages across"},
    {"pairwise", C::all_to_all_v, all_to_all_v_pairwise, fits_all, false, "1 step, what is sent"},
    {"direct", C::gather, gather_direct, fits_all, false, "1 step, B"},
    {"binomial", C::gather, gather_binomial, fits_all, false, "log2 n steps, (n-1) B"},
    {"direct", C::scatter, scatter_direct, fits_all, false, "1 step, root (n-1) B"},
    {"binomial", C::scatter, scatter_binomial, fits_all, false, "log2 n steps, (n-1) B"},
    {"pair", C::send_recv, send_recv_pair, fits_all, false, "1 step, B"},
    {"records", C::barrier, barrier_records, fits_all, false, "1 step, no bytes"},
};

}  // namespace

std::span<const Algorithm> algorithms() { return kAlgorithms; }

const Algorithm* find_algorithm(Collective collective, std::string_view name) {
  const auto* const found = std::find_if(
      std::begin(kAlgorithms), std::end(kAlgorithms),
      [&](const Algorithm& each) { return each.collective == collective && each.name == name; });
  return found == std::end(kAlgorithms) ? nullptr : found;
}

}  // namespace unirack
