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

using RadixGenerator = Result<Schedule> (*)(const Topology&, const Request&, int lanes, int radix);

template <RadixGenerator kGenerate, int kRadix>
Result<Schedule> with_radix(const Topology& topology, const Request& request, int lanes) {
  return kGenerate(topology, request, lanes, kRadix);
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
    {"binomial", C::all_reduce, with_radix<all_reduce_knomial, 2>, fits_all, false,
     "2 log2 n steps, B log2 n"},
    {"knomial_4", C::all_reduce, with_radix<all_reduce_knomial, 4>, fits_all, false,
     "2 log4 n steps, 3 B log4 n"},
    {"ring", C::all_reduce, all_reduce_ring, fits_all, true, "2 (n-1) steps, 2 B (n-1)/n"},
    {"two_level", C::all_reduce, all_reduce_two_level, two_level_unfit, false,
     "4 steps, 2 B (s-1)/s within, 2 B/s (k-1)/k across"},
    {"two_level_pipelined", C::all_reduce, all_reduce_two_level_pipelined, two_level_unfit, false,
     "4 steps, as two_level, in lanes one step apart"},
    {"two_level_weighted", C::all_reduce, all_reduce_two_level_weighted, two_level_weighted_unfit,
     false, "4 steps, as two_level, small domains finish less"},
    {"two_level_halving", C::all_reduce, all_reduce_two_level_halving, two_level_halving_unfit,
     false, "2 + 2 log2 k steps, as two_level in log2 k messages across"},
    {"three_level", C::all_reduce, all_reduce_three_level, three_level_unfit, false,
     "6 steps, as two_level in 2 sqrt k messages across"},
    {"single_leader", C::all_reduce, all_reduce_single_leader, two_level_unfit, false,
     "3 steps, leaders (s-1) B within, (k-1) B across"},
    {"forest", C::all_reduce, forest_of_few, forest_unfit, true,
     "trees up and down, what links allow"},
    {"direct", C::reduce, reduce_direct, fits_all, false, "1 step, B"},
    {"two_shot", C::reduce, reduce_two_shot, fits_all, false, "2 steps, B"},
    {"direct_pull", C::reduce, reduce_direct_pull, needs_symmetric, false,
     "2 steps, root reads (n-1) B"},
    {"binomial", C::reduce, with_radix<reduce_knomial, 2>, fits_all, false, "log2 n steps, B"},
    {"knomial_4", C::reduce, with_radix<reduce_knomial, 4>, fits_all, false, "log4 n steps, B"},
    {"knomial_8", C::reduce, with_radix<reduce_knomial, 8>, fits_all, false, "log8 n steps, B"},
    {"halving_doubling", C::reduce, reduce_halving_doubling, fits_all, false,
     "2 log2 n steps, 2 B (n-1)/n"},
    {"two_level", C::reduce, reduce_two_level, two_level_unfit, false, "2 steps, B"},
    {"multi_leader", C::reduce, reduce_multi_leader, two_level_unfit, false,
     "4 steps, B within, B/s across"},
    {"forest", C::reduce, forest_of_few, forest_unfit, true, "trees up, what links allow"},
    {"direct", C::reduce_scatter, reduce_scatter_direct, fits_all, false, "1 step, (n-1) B"},
    {"direct_pull", C::reduce_scatter, reduce_scatter_direct_pull, needs_symmetric, false,
     "2 steps, reads (n-1) B"},
    {"halving", C::reduce_scatter, reduce_scatter_halving, fits_all, false,
     "log2 n steps, (n-1) B"},
    {"ring", C::reduce_scatter, reduce_scatter_ring, fits_all, true, "n-1 steps, (n-1) B"},
    {"two_level", C::reduce_scatter, reduce_scatter_two_level, two_level_unfit, false,
     "2 steps, (n-k) B within, (k-1) B across"},
    {"two_level_pipelined", C::reduce_scatter, reduce_scatter_two_level_pipelined, two_level_unfit,
     false, "2 steps, as two_level, in lanes one step apart"},
    {"forest", C::reduce_scatter, forest_of_few, forest_unfit, true, "trees up, what links allow"},
    {"direct", C::all_gather, all_gather_direct, fits_all, false, "1 step, (n-1) B"},
    {"recursive_doubling", C::all_gather, all_gather_recursive_doubling, fits_all, false,
     "log2 n steps, (n-1) B"},
    {"bruck", C::all_gather, with_radix<all_gather_bruck, 2>, fits_all, false,
     "log2 n steps, (n-1) B"},
    {"bruck_4", C::all_gather, with_radix<all_gather_bruck, 4>, fits_all, false,
     "log4 n steps, (n-1) B"},
    {"bruck_8", C::all_gather, with_radix<all_gather_bruck, 8>, fits_all, false,
     "log8 n steps, (n-1) B"},
    {"ring", C::all_gather, all_gather_ring, fits_all, false, "n-1 steps, (n-1) B"},
    {"two_level", C::all_gather, all_gather_two_level, two_level_unfit, false,
     "2 steps, (n-k) B within, (k-1) B across"},
    {"two_level_pipelined", C::all_gather, all_gather_two_level_pipelined, two_level_unfit, false,
     "2 steps, as two_level, in lanes one step apart"},
    {"forest", C::all_gather, forest_of_few, forest_unfit, false, "trees down, what links allow"},
    {"forest_exact", C::all_gather, forest_exact, forest_exact_unfit, false,
     "as many trees as the optimum takes"},
    {"direct", C::broadcast, broadcast_direct, fits_all, false, "1 step, root (n-1) B"},
    {"scatter_all_gather", C::broadcast, broadcast_scatter_all_gather, fits_all, false,
     "2 steps, B"},
    {"binomial", C::broadcast, with_radix<broadcast_knomial, 2>, fits_all, false,
     "log2 n steps, root B log2 n"},
    {"knomial_4", C::broadcast, with_radix<broadcast_knomial, 4>, fits_all, false,
     "log4 n steps, root 3 B log4 n"},
    {"knomial_8", C::broadcast, with_radix<broadcast_knomial, 8>, fits_all, false,
     "log8 n steps, root 7 B log8 n"},
    {"halving_doubling", C::broadcast, broadcast_halving_doubling, fits_all, false,
     "2 log2 n - 1 steps, 2 B (n-1)/n"},
    {"two_level", C::broadcast, broadcast_two_level, two_level_unfit, false,
     "2 steps, (k-1) B across"},
    {"multi_leader", C::broadcast, broadcast_multi_leader, two_level_unfit, false,
     "4 steps, 2 B within, B/s across"},
    {"forest", C::broadcast, forest_of_few, forest_unfit, false, "trees down, what links allow"},
    {"pairwise", C::all_to_all, all_to_all_pairwise, needs_out_of_place, false, "1 step, (n-1) B"},
    {"pairwise_staged", C::all_to_all, all_to_all_pairwise_staged, fits_all, false,
     "1 step, (n-1) B and a copy of it"},
    {"bruck", C::all_to_all, with_radix<all_to_all_bruck, 2>, fits_all, false,
     "log2 n steps, n/2 log2 n B"},
    {"bruck_4", C::all_to_all, with_radix<all_to_all_bruck, 4>, fits_all, false,
     "log4 n steps, 3n/4 log4 n B"},
    {"bruck_8", C::all_to_all, with_radix<all_to_all_bruck, 8>, fits_all, false,
     "log8 n steps, 7n/8 log8 n B"},
    {"two_level", C::all_to_all, all_to_all_two_level, two_level_out_of_place_unfit, false,
     "2 steps, (n-k) B within, (n-s) B across in k-1 messages of s B"},
    {"two_level_staged", C::all_to_all, all_to_all_two_level_staged, two_level_unfit, false,
     "2 steps, as two_level and a copy of (n-1) B"},
    {"pairwise", C::all_to_all_v, all_to_all_v_pairwise, fits_all, false, "1 step, what is sent"},
    {"direct", C::gather, gather_direct, fits_all, false, "1 step, B"},
    {"binomial", C::gather, with_radix<gather_knomial, 2>, fits_all, false, "log2 n steps, n/2 B"},
    {"knomial_4", C::gather, with_radix<gather_knomial, 4>, fits_all, false, "log4 n steps, n/4 B"},
    {"direct", C::scatter, scatter_direct, fits_all, false, "1 step, root (n-1) B"},
    {"binomial", C::scatter, with_radix<scatter_knomial, 2>, fits_all, false,
     "log2 n steps, (n-1) B"},
    {"knomial_4", C::scatter, with_radix<scatter_knomial, 4>, fits_all, false,
     "log4 n steps, (n-1) B"},
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
