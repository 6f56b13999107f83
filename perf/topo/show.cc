// unirack-topo show: a graph as tree, matrix, JSON, page or picture.
#include <memory>

#include "lib/topology/render/tree.h"
#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/output.h"

namespace unirack::topo {

namespace {

class Show : public Command {
 public:
  Show(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "show", "show a machine or a fabric");
    add_input(command, input_);
    add_faults(command, input_);
    command.flag("--tree", tree_, "indented, with equals folded (the default)");
    command.flag("--matrix", matrix_,
                 "how GPUs and NICs reach each other, as nvidia-smi topo -m prints it, with NUMA "
                 "node, rail and domain");
    command.flag("--json", json_, "all that is known, in our own format");
    command.option("--html", "PATH", html_, "write one self-contained page to look at");
    command.option("--svg", "PATH", svg_, "write a picture");
    command.flag("--all", all_, "with --tree: fold nothing");
    command.flag("--ascii", ascii_, "with --tree: no box drawing characters");
    command.footer(
        "PATH may be - for standard output.\n\n"
        "EXIT STATUS\n  0 shown, 3 bad usage or input\n\n"
        "EXAMPLES\n"
        "  unirack-topo show                        this machine\n"
        "  unirack-topo show --matrix topo.xml      what NCCL was told\n"
        "  unirack-topo show nvl72:racks=8 --kill nic:3 --html pool.html\n"
        "  ibnetdiscover | unirack-topo show - --json > fabric.json");
  }

  int run() override {
    const Status status = show();
    return status ? kExitOk : console_.fail(status.error());
  }

 private:
  Status show() {
    const Graph graph = UNIRACK_TRY(load(console_, input_));
    PictureOptions picture;
    picture.title = title_of(input_);
    if (!html_.empty() || !svg_.empty()) picture.notes = notes_of(graph);
    for (const auto& [path, form] : {std::pair(html_, "html"), std::pair(svg_, "svg")}) {
      if (path.empty()) continue;
      const Progress progress(console_, "drawing");
      const std::string text = UNIRACK_TRY(written(graph, form, picture));
      UNIRACK_TRY(write_text(console_, path, text));
    }
    if (json_) console_.print(UNIRACK_TRY(written(graph, "unirack-json", picture)));
    if (matrix_) console_.print(UNIRACK_TRY(written(graph, "matrix", picture)));
    if (tree_ || (!json_ && !matrix_ && html_.empty() && svg_.empty())) {
      console_.print(
          render_tree(graph, {.colour = console_.colour, .ascii = ascii_, .fold = !all_}));
    }
    return ok_status();
  }

  const Console& console_;
  Input input_;
  bool tree_ = false;
  bool matrix_ = false;
  bool json_ = false;
  bool all_ = false;
  bool ascii_ = false;
  std::string html_;
  std::string svg_;
};

}  // namespace

CommandPointer make_show(CLI::App& app, const Console& console) {
  return std::make_unique<Show>(app, console);
}

}  // namespace unirack::topo
