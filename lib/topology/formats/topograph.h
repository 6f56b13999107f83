// Models of NVIDIA's topograph (https://github.com/NVIDIA/topograph, tests/models/*.yaml): a tree
// of switches, and blocks of nodes below them that share NVLink. Pure; callable from any thread.
//
// `switches` and `blocks` (older: `capacity_blocks`) are maps by name or lists with `name`; blocks
// name their switch or are named by it, and a map of `nodes` may say more of them. The domain of a
// block is its label or annotation whose key ends in "domain", "accelerator" or "level-0", or its
// `nvlink`; its rack is that which ends in "sub-domain" or "rack". Nodes are one rank each
// (host_tree.h): how many GPUs they have is not in the file.
#pragma once

#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

bool recognises_topograph(std::string_view text);
Result<Graph> read_topograph(std::string_view text, const ReadOptions& options);

}  // namespace unirack
