// What a command works on: this machine, a file of any format, standard input, or a generated
// fabric; with faults put into it on request.
#pragma once

#include <string>
#include <vector>

#include "lib/topology/graph.h"
#include "perf/topo/console.h"

namespace CLI {
class App;
}

namespace unirack::topo {

struct Input {
  std::string source;              // empty: this machine; "-": standard input; a path; a spec
  std::string format;              // empty: recognised
  std::vector<std::string> kills;  // faults, as with_fault() takes them
  int partial_rack = 0;            // 0: none
};

// FILE, --from, --kill, --partial-rack.
void add_input(CLI::App& app, Input& input);

// Notes of discovery go to standard error.
Result<Graph> load(const Console& console, const Input& input);

// Another FILE of the same command line, without faults.
Result<Graph> load_source(const Console& console, const std::string& source,
                          const std::string& format);

// "gb200-8-racks.out", "nvl72:racks=8", "this machine": for titles.
std::string title_of(const Input& input);

}  // namespace unirack::topo
