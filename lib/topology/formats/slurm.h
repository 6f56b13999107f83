// Slurm's topology.conf for its tree and block plugins, read and written
// (https://slurm.schedmd.com/topology.conf.html). Pure; callable from any thread.
//
// Read: SwitchName= lines make a tree of switches over hosts, BlockName= lines name the domain of
// hosts; a file may have both. Each host is one rank (host_tree.h).
// Written as a tree: a host stands under one switch there, so the leaves that a host is plugged
// into are written as one, and so are the spines above them. Names are the racks', else those of
// the first switch. Written as blocks: one block a domain.
#pragma once

#include <string>
#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

bool recognises_slurm_tree(std::string_view text);
bool recognises_slurm_block(std::string_view text);
Result<Graph> read_slurm(std::string_view text, const ReadOptions& options);
Result<std::string> write_slurm_tree(const Graph& graph);
Result<std::string> write_slurm_block(const Graph& graph);

}  // namespace unirack
