// unirack-topo generate: a named fabric, with faults, in any form.
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/topology/generate/generate.h"
#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/output.h"

namespace unirack::topo {

namespace {

std::string families_json() {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const FabricFamily& family : fabric_families()) {
    nlohmann::ordered_json one{{"name", family.name}, {"what", family.what}};
    for (const FamilyParameter& parameter : family.parameters) {
      one["parameters"].push_back(
          {{"name", parameter.name}, {"default", parameter.fallback}, {"what", parameter.what}});
    }
    json.push_back(std::move(one));
  }
  return json.dump(2) + "\n";
}

class Generate : public Command {
 public:
  Generate(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "generate", "make the graph of a named fabric");
    command.argument("SPEC", input_.source, false, "NAME or NAME:KEY=VALUE,...");
    add_faults(command, input_);
    command.option("-o,--output", "PATH", output_, "default: standard output");
    command.option("--to", "FORM", form_, "default: by the file's extension, else unirack-json");
    command.flag("--list", list_, "list the fabrics and their parameters");
    command.flag("--json", json_, "the list as JSON; a fabric is unirack-json by default");
    command.footer("FABRICS\n" + families_text() + "\nFORM is one of " + forms_text() +
                   ".\n\nEXIT STATUS\n  0 generated, 3 bad usage\n\n"
                   "EXAMPLES\n"
                   "  unirack-topo generate nvl72:racks=8 -o pool.json\n"
                   "  unirack-topo generate dgx-h100:boxes=4 --kill nic:3 --to tree\n"
                   "  unirack-topo generate nvl72:racks=2 --partial-rack 66 -o pool.html");
  }

  int run() override {
    if (list_) {
      console_.print(json_ ? families_json() : families_text());
      return kExitOk;
    }
    const Status status = generate_it();
    return status ? kExitOk : console_.fail(status.error());
  }

 private:
  Status generate_it() {
    if (input_.source.empty()) {
      return make_error(Code::invalid_argument, "SPEC is required; --list names the fabrics");
    }
    Graph whole = UNIRACK_TRY(generate(input_.source));
    const Graph graph = UNIRACK_TRY(with_faults(std::move(whole), input_));
    return write_as(console_, graph, json_ ? "unirack-json" : form_, output_, title_of(input_));
  }

  const Console& console_;
  Input input_;
  std::string output_ = "-";
  std::string form_;
  bool json_ = false;
  bool list_ = false;
};

}  // namespace

CommandPointer make_generate(CLI::App& app, const Console& console) {
  return std::make_unique<Generate>(app, console);
}

}  // namespace unirack::topo
