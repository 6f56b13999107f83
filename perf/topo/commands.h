// The commands of unirack-topo, one file each. make_*() declares a subcommand; the object it
// returns holds the options that parsing fills in, borrows the console, and runs it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "perf/topo/console.h"

namespace CLI {
class App;
}

namespace unirack::topo {

class Command {
 public:
  virtual ~Command() = default;
  // The exit code.
  virtual int run() = 0;
};

using CommandPointer = std::unique_ptr<Command>;
CommandPointer make_show(CLI::App& app, const Console& console);
CommandPointer make_check(CLI::App& app, const Console& console);
CommandPointer make_bound(CLI::App& app, const Console& console);
CommandPointer make_convert(CLI::App& app, const Console& console);
CommandPointer make_diff(CLI::App& app, const Console& console);
CommandPointer make_generate(CLI::App& app, const Console& console);
CommandPointer make_measure(CLI::App& app, const Console& console);
CommandPointer make_plan(CLI::App& app, const Console& console);
CommandPointer make_verify(CLI::App& app, const Console& console);
CommandPointer make_simulate(CLI::App& app, const Console& console);

// The whole tool. `arguments` without the program's name.
int run_tool(std::vector<std::string> arguments, const Console& console);

}  // namespace unirack::topo
