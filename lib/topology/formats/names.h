// Names as people give them to machines: the pattern behind them, and what is
// odd about them.
// Pure; callable from any thread.
#pragma once

#include <string>
#include <string_view>

#include "lib/topology/graph.h"

namespace unirack {

// All runs of digits as '#': "a05-c1" and "a06-c12" are both "a#-c#".
std::string name_shape(std::string_view name);

// Without the last run of digits and what follows it: "a05-c" of "a05-c12-ib". All of a name
// without digits.
std::string_view name_stem(std::string_view name);

// Adds to the node's "warning", which says what is odd about it in the file: "line 3: ...; line 9:
// ...". The first few are kept.
void add_warning(Node& node, std::string_view warning);

}  // namespace unirack
