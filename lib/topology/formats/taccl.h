// TACCL's topologies in JSON (https://github.com/microsoft/taccl, taccl/examples/topo/*.json,
// taccl/topologies/generic.py and serialization.py). Pure; callable from any thread.
//
// One machine: `gpus_per_node`, `alpha` (us) and either matrices `links`, `betas` and `invbws`,
// rows by target, or the profiles `node_betas_list` of a DGX-2 (one value: GPUs on a switch) or an
// NDv2 (two: double and single NVLinks of a DGX-1V). `nics_per_node`, `remote_alpha` and
// `remote_beta` are its NICs. Several machines: `copies` of one and `internode_conn`, as saved in
// schedules
// ("sccl_type": "topology").
// A beta is microseconds per MB; files named "..._32KB" and "..._1KB" are per chunk of that size
// and in units of 0.1 and 0.01 us, as those that TACCL ships. Written: the NVLink and xGMI of one
// machine as matrices, what passes a switch as the pairs it joins.
#pragma once

#include <string>
#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

inline constexpr int kTacclGpusMax = 1024;  // of all copies

bool recognises_taccl(std::string_view text);
Result<Graph> read_taccl(std::string_view text, const ReadOptions& options);
Result<std::string> write_taccl(const Graph& graph);

}  // namespace unirack
