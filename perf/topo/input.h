// What a command works on: this machine, a file of any format, standard input, or a generated
// fabric; with faults put into it on request.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/topology/graph.h"
#include "perf/topo/console.h"

namespace unirack::topo {

class CommandLine;

struct Input {
  std::string source;              // empty: this machine; "-": standard input; a path; a spec
  std::string format;              // empty: recognised
  std::vector<std::string> kills;  // faults, as with_fault() takes them
  uint64_t partial_rack = 0;       // 0: none
};

// FILE and --from.
void add_input(CommandLine& command, Input& input);
// --kill and --partial-rack.
void add_faults(CommandLine& command, Input& input);

// All of standard input for "-", else of a file; bounded.
Result<std::string> read_text(const Console& console, const std::string& source);

// Whether `source` names something that read_text() can read.
bool is_file(const std::string& source);

// Notes of discovery go to standard error.
Result<Graph> load(const Console& console, const Input& input);

// What --kill and --partial-rack ask for.
Result<Graph> with_faults(Graph graph, const Input& input);

// Another FILE of the same command line, without faults.
Result<Graph> load_source(const Console& console, const std::string& source,
                          const std::string& format);
// A graph whose text was read already.
Result<Graph> graph_of_text(std::string_view text, const std::string& source,
                            const std::string& format);

// "gb200-8-racks.out", "nvl72:racks=8", "this machine": for titles.
std::string title_of(const Input& input);

}  // namespace unirack::topo
