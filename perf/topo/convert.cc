// unirack-topo convert: from any format that can be read to any that can be written.
#include <memory>

#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/output.h"

namespace unirack::topo {

namespace {

class Convert : public Command {
 public:
  Convert(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "convert", "from one format to another");
    command.argument("IN", in_.source, true, "a file, - for standard input, or a specification");
    command.argument("OUT", out_, true, "a file, or - for standard output");
    command.option("--from", "FORMAT", in_.format,
                   "format of IN; default: recognised by its content");
    command.option("--to", "FORM", form_,
                   "form of OUT; default: by its extension, else unirack-json");
    command.footer("FORM is one of " + forms_text() +
                   ".\n\nWhat a format cannot hold is left out; unirack-json holds everything.\n\n"
                   "EXIT STATUS\n  0 converted, 3 bad usage or input\n\n"
                   "EXAMPLES\n"
                   "  unirack-topo convert topo.xml machine.json\n"
                   "  unirack-topo convert fabric.out - --from ibnetdiscover --to tree");
  }

  int run() override {
    const Status status = convert();
    return status ? kExitOk : console_.fail(status.error());
  }

 private:
  Status convert() {
    const Graph graph = UNIRACK_TRY(load(console_, in_));
    return write_as(console_, graph, form_, out_, title_of(in_));
  }

  const Console& console_;
  Input in_;
  std::string out_;
  std::string form_;
};

}  // namespace

CommandPointer make_convert(CLI::App& app, const Console& console) {
  return std::make_unique<Convert>(app, console);
}

}  // namespace unirack::topo
