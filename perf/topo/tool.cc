// The command line as a whole: which commands there are, and the manual page.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <utility>

#include "collectives/formats/schedule_formats.h"
#include "lib/topology/formats/formats.h"
#include "perf/topo/commands.h"

namespace unirack::topo {

namespace {

std::string formats_text() {
  std::string text;
  for (const Format& format : formats()) {
    text += fmt::format("  {:<16} {}{}\n", format.name, format.what,
                        format.write == nullptr ? " (read only)" : "");
  }
  return text;
}

std::string schedules_text() {
  std::string text;
  for (const ScheduleFormat& format : schedule_formats()) {
    const char* only = format.write == nullptr  ? " (read only)"
                       : format.read == nullptr ? " (write only)"
                                                : "";
    text += fmt::format("  {:<16} {}{}\n", format.name, format.what, only);
  }
  return text;
}

std::string footer() {
  return "FILE is a file of any of the formats below, - for standard input, or a generator's\n"
         "specification (nvl72:racks=8). Without FILE, commands look at this machine. Every "
         "command\n"
         "explains itself: unirack-topo COMMAND --help.\n\n"
         "FORMATS\n" +
         formats_text() + "\nFORMATS OF SCHEDULES\n" + schedules_text() +
         "\nEXIT STATUS\n"
         "  0  done; check: nothing above a remark; diff: equal\n"
         "  1  check: warnings; diff: there are differences\n"
         "  2  check: errors; verify: wrong; simulate: does not come to an end\n"
         "  3  bad usage, input that cannot be read, or a rank that failed; standard error says "
         "why\n"
         "\nEXAMPLES\n"
         "  unirack-topo show                              this machine as a tree\n"
         "  unirack-topo show --matrix topo.xml            as nvidia-smi topo -m would\n"
         "  unirack-topo show nvl72:racks=8 --html pool.html   a page to look at\n"
         "  ibnetdiscover | unirack-topo check -           what is wrong with the fabric\n"
         "  unirack-topo bound fabric.json --kill leaf:3   how fast without that leaf\n"
         "  unirack-topo diff before.json after.json       what changed, and what it costs\n"
         "  mpirun -np 4 unirack-topo measure              what the links of a pool really do\n"
         "  unirack-topo plan --size 1M --topology dgx-h100   which algorithm runs, and why\n"
         "  unirack-topo verify allreduce.xml              whether a schedule is right\n"
         "  unirack-topo simulate ring.schedule --topology dgx-h100   how long it takes there\n"
         "\nENVIRONMENT\n"
         "  NO_COLOR  if set, no colour even on a terminal\n";
}

}  // namespace

int run_tool(std::vector<std::string> arguments, const Console& console) {
  CLI::App app(
      "Shows what a machine or a fabric consists of, what is wrong with it, and what limits it;\n"
      "proves schedules right and says how long they take.",
      "unirack-topo");
  app.footer(footer());
  app.require_subcommand(1);
  std::map<std::string, CommandPointer> commands;
  commands["show"] = make_show(app, console);
  commands["check"] = make_check(app, console);
  commands["bound"] = make_bound(app, console);
  commands["convert"] = make_convert(app, console);
  commands["diff"] = make_diff(app, console);
  commands["generate"] = make_generate(app, console);
  commands["measure"] = make_measure(app, console);
  commands["plan"] = make_plan(app, console);
  commands["verify"] = make_verify(app, console);
  commands["simulate"] = make_simulate(app, console);
  if (!arguments.empty() && !arguments[0].starts_with("-") && !commands.contains(arguments[0])) {
    std::string names;
    for (const auto& [name, command] : commands) names += (names.empty() ? "" : ", ") + name;
    return console.fail(fmt::format("'{}' is no command: expected one of {}", arguments[0], names));
  }
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    console.print(chosen.empty() ? app.help() : chosen.front()->help());
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string name = chosen.empty() ? "" : " " + chosen.front()->get_name();
    return console.fail(fmt::format("{}\nTry 'unirack-topo{} --help'.", error.what(), name));
  }
  return commands.at(app.get_subcommands().front()->get_name())->run();
}

}  // namespace unirack::topo
