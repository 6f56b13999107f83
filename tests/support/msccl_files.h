// Algorithms in MSCCL's XML as its tools publish them, written for any number of GPUs.
#pragma once

#include <string>
#include <vector>

namespace unirack::testing {

// One thread block a GPU, over `channels` rings, in place: s, rrs, rrcs, rcs, r.
std::string msccl_ring_all_reduce(int gpus, int channels = 1);
// A thread block a peer, in place: shares are exchanged, added by re, exchanged again.
std::string msccl_all_pairs_all_reduce(int gpus);
// Two nodes of `locals` GPUs, in place: shares within the node, sums between the nodes over a
// channel of their own, results within the node.
std::string msccl_hierarchical_all_reduce(int locals);
std::string msccl_ring_all_gather(int gpus, bool in_place);
std::string msccl_all_to_all(int gpus);
// Two GPUs of two relay all their blocks through scratch of the third: needs three stages.
std::string msccl_relayed_all_gather(int gpus);

}  // namespace unirack::testing
