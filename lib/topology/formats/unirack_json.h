// Our own file: a graph as JSON, "unirack_topology": 1. docs/topology-json.md is its schema.
//
// What is written is read back to a graph of the same hash, and the same graph always gives the
// same text: nodes in the order of their names (numbers in them by value), fields at their default
// left out, links of two equal directions once. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

inline constexpr int kTopologyJsonVersion = 1;

bool recognises_unirack_json(std::string_view text);
Result<Graph> read_unirack_json(std::string_view text, const ReadOptions& options);
Result<std::string> write_unirack_json(const Graph& graph);

}  // namespace unirack
