// unirack-topo verify: proves that a schedule does what its collective asks, or says where not.
#include "collectives/verify.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/schedule_input.h"

namespace unirack::topo {

namespace {

class Verify : public Command {
 public:
  Verify(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "verify", "prove that a schedule is right");
    add_schedule_input(command, input_);
    command.flag("--json", json_, "the answer as JSON");
    command.footer(
        "The schedule is executed symbolically. Proven is: every output holds every contribution\n"
        "exactly once and, unless it says that it reassociates, summed in the agreed order; no\n"
        "step reads what nobody wrote; no two accesses race, whatever the timing; nobody waits "
        "for\n"
        "ever; it is safe in place if it says so, and before and after any other operation.\n\n"
        "EXIT STATUS\n  0 right, 2 wrong: standard output says where, 3 bad usage or input\n\n"
        "EXAMPLES\n"
        "  unirack-topo verify ring.schedule\n"
        "  unirack-topo verify allreduce_allpairs.xml --json\n"
        "  unirack-topo plan --collective all_gather --topology nvl72 --output - \\\n"
        "    | unirack-topo verify -");
  }

  int run() override {
    const auto schedule = load_schedule(console_, input_);
    if (!schedule) return console_.fail(schedule.error());
    Status proven = ok_status();
    {
      const Progress progress(console_, "verifying " + schedule_title(*schedule));
      proven = verify(*schedule);
    }
    console_.print(json_ ? json_text(*schedule, proven) : text(*schedule, proven));
    return proven ? kExitOk : kExitErrors;
  }

 private:
  std::string text(const Schedule& schedule, const Status& proven) const {
    if (!proven) {
      return fmt::format("{} is {}: {}\n", schedule_title(schedule),
                         painted(console_, "wrong", "31;1"), proven.error().detail);
    }
    const ScheduleHeader& header = schedule.header();
    std::string text =
        fmt::format("{} is {}", schedule_title(schedule), painted(console_, "right", "32;1"));
    text += header.in_place ? ", in place too" : ", out of place";
    if (header.symmetric) text += ", on symmetric buffers";
    if (is_reduction(header.collective)) {
      text += header.reassociates ? "; it sums floats in an order of its own"
                                  : "; float sums follow the agreed order";
    }
    return text + "\n";
  }

  static std::string json_text(const Schedule& schedule, const Status& proven) {
    const ScheduleHeader& header = schedule.header();
    nlohmann::ordered_json json{{"collective", collective_name(header.collective)},
                                {"algorithm", header.algorithm},
                                {"ranks", header.rank_count},
                                {"lanes", schedule.program_view(0).lanes.size()},
                                {"steps", schedule.step_count()},
                                {"in_place", header.in_place},
                                {"symmetric", header.symmetric},
                                {"reassociates", header.reassociates},
                                {"right", static_cast<bool>(proven)}};
    if (!proven) json["why"] = proven.error().detail;
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }

  const Console& console_;
  ScheduleInput input_;
  bool json_ = false;
};

}  // namespace

CommandPointer make_verify(CLI::App& app, const Console& console) {
  return std::make_unique<Verify>(app, console);
}

}  // namespace unirack::topo
