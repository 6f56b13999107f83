// unirack-topo generate: a named fabric, with faults, in any form.
#include <CLI/CLI.hpp>
#include <memory>

#include "lib/topology/generate/generate.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/output.h"

namespace unirack::topo {

namespace {

class Generate : public Command {
 public:
  Generate(CLI::App& app, const Console& console) : console_(console) {
    CLI::App& command = *app.add_subcommand("generate", "make the graph of a named fabric");
    command.add_option("SPEC", input_.source, "NAME or NAME:KEY=VALUE,...");
    command
        .add_option("--kill", input_.kills,
                    "mark as down: gpu:N, nic:N, leaf:N, spine:N (a number or a name), host:NAME, "
                    "link:A:B; may be repeated")
        ->type_name("FAULT")
        ->allow_extra_args(false);
    command
        .add_option("--partial-rack", input_.partial_rack,
                    "leave so many GPUs, and their NICs, in the last rack")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    command.add_option("-o,--output", output_, "a file; default: standard output")
        ->type_name("PATH");
    command.add_option("--to", form_, "form; default: by the file's extension, else unirack-json")
        ->type_name("FORM");
    command.add_flag("--json", json_, "unirack-json, which is the default");
    command.add_flag("--list", list_, "list the fabrics and their parameters");
    command.footer("FABRICS\n" + families_text() + "\nFORM is one of " + forms_text() +
                   ".\n\nEXIT STATUS\n  0 generated, 3 bad usage\n\n"
                   "EXAMPLES\n"
                   "  unirack-topo generate nvl72:racks=8 -o pool.json\n"
                   "  unirack-topo generate dgx-h100:boxes=4 --kill nic:3 --to tree\n"
                   "  unirack-topo generate nvl72:racks=2 --partial-rack 66 -o pool.html");
  }

  int run() override {
    if (list_) {
      console_.print(families_text());
      return kExitOk;
    }
    if (input_.source.empty()) return console_.fail("SPEC is required; --list names the fabrics");
    const Status status = generate_it();
    return status ? kExitOk : console_.fail(status.error());
  }

 private:
  Status generate_it() {
    Graph graph = UNIRACK_TRY(generate(input_.source));
    for (const std::string& kill : input_.kills) graph = UNIRACK_TRY(with_fault(graph, kill));
    if (input_.partial_rack > 0) {
      graph = UNIRACK_TRY(with_fault(graph, "partial-rack:" + std::to_string(input_.partial_rack)));
    }
    PictureOptions options;
    options.title = title_of(input_);
    const std::string form = form_.empty() ? form_of(output_, "unirack-json") : form_;
    const Progress progress(console_, "writing " + form);
    const std::string text = UNIRACK_TRY(written(graph, form, options));
    return write_text(console_, output_, text);
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
