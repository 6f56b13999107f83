// unirack-topo convert: from any format that can be read to any that can be written.
#include <CLI/CLI.hpp>
#include <memory>

#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/output.h"

namespace unirack::topo {

namespace {

class Convert : public Command {
 public:
  Convert(CLI::App& app, const Console& console) : console_(console) {
    CLI::App& command = *app.add_subcommand("convert", "from one format to another");
    command.add_option("IN", in_.source, "a file, - for standard input, or a specification")
        ->required();
    command.add_option("OUT", out_, "a file, or - for standard output")->required();
    command.add_option("--from", in_.format, "format of IN; default: recognised by its content")
        ->type_name("FORMAT");
    command.add_option("--to", to_, "form of OUT; default: by its extension, else unirack-json")
        ->type_name("FORM");
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
    PictureOptions options;
    options.title = title_of(in_);
    const std::string form = to_.empty() ? form_of(out_, "unirack-json") : to_;
    const Progress progress(console_, "writing " + form);
    const std::string text = UNIRACK_TRY(written(graph, form, options));
    return write_text(console_, out_, text);
  }

  const Console& console_;
  Input in_;
  std::string out_;
  std::string to_;
};

}  // namespace

CommandPointer make_convert(CLI::App& app, const Console& console) {
  return std::make_unique<Convert>(app, console);
}

}  // namespace unirack::topo
