// unirack-topo convert: topologies and schedules, from any format that can be read to any that can
// be written.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "collectives/formats/schedule_formats.h"

#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/output.h"
#include "perf/topo/schedule_input.h"

namespace unirack::topo {

namespace {

class Convert : public Command {
 public:
  Convert(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "convert", "from one format to another");
    command.argument("IN", in_.source, true,
                     "a file of a topology or a schedule, - for standard input, or a "
                     "specification");
    command.argument("OUT", out_, true, "a file, or - for standard output");
    command.option("--from", "FORMAT", in_.format,
                   "format of IN; default: recognised by its content");
    command.option("--to", "FORM", form_,
                   "form of OUT; default: of a topology by its extension, else unirack-json; of "
                   "a schedule mscclpp-json for .json, else schedule");
    command.footer(
        "FORM is one of " + forms_text() + "; of a schedule one of " + schedule_formats_text(true) +
        ".\n\nWhat a format of topologies cannot hold is left out; unirack-json holds\n"
        "everything. A schedule is never changed: what a format cannot hold is refused.\n"
        "Converting proves nothing; verify does.\n\n"
        "EXIT STATUS\n  0 converted, 3 bad usage or input\n\n"
        "EXAMPLES\n"
        "  unirack-topo convert topo.xml machine.json\n"
        "  unirack-topo convert fabric.out - --from ibnetdiscover --to tree\n"
        "  unirack-topo convert allreduce.xml ring.schedule\n"
        "  unirack-topo convert ring.schedule plan.json --to mscclpp-json");
  }

  int run() override {
    const Status status = convert();
    return status ? kExitOk : console_.fail(status.error());
  }

 private:
  Status convert() {
    if (!is_file(in_.source)) {
      const Graph graph = UNIRACK_TRY(load(console_, in_));
      return write_as(console_, graph, form_, out_, title_of(in_));
    }
    const std::string text = UNIRACK_TRY(read_text(console_, in_.source));
    if (is_schedule(text, in_.format)) return convert_schedule(text);
    const Graph graph = UNIRACK_TRY(graph_of_text(text, in_.source, in_.format));
    return write_as(console_, graph, form_, out_, title_of(in_));
  }

  Status convert_schedule(const std::string& text) {
    const Schedule schedule = UNIRACK_TRY(schedule_of_text(text, {in_.source, in_.format}));
    const std::string by_name = out_.ends_with(".json") ? "mscclpp-json" : "schedule";
    const std::string& form = form_.empty() ? by_name : form_;
    const ScheduleFormat* format = find_schedule_format(form);
    if (format == nullptr || format->write == nullptr) {
      return make_error(Code::invalid_argument,
                        fmt::format("cannot write a schedule as '{}': expected one of {}", form,
                                    schedule_formats_text(true)));
    }
    return write_text(console_, out_, UNIRACK_TRY(format->write(schedule)));
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
