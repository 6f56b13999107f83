// What verify, simulate and convert work on: a file that holds a schedule, in any format that can
// be read.
#pragma once

#include <string>
#include <string_view>

#include "collectives/schedule.h"
#include "perf/topo/console.h"

namespace unirack::topo {

class CommandLine;

struct ScheduleInput {
  std::string source;  // "-": standard input; a path
  std::string format;  // empty: recognised
};

// FILE and --from.
void add_schedule_input(CommandLine& command, ScheduleInput& input);

Result<Schedule> load_schedule(const Console& console, const ScheduleInput& input);

// A schedule whose text was read already.
Result<Schedule> schedule_of_text(std::string_view text, const ScheduleInput& input);

// Whether `format` names one of schedules, or, where it is empty, the text looks like one.
bool is_schedule(std::string_view text, std::string_view format);

// "all_reduce ring of 8 ranks"
std::string schedule_title(const Schedule& schedule);

// "schedule, msccl-xml"
std::string schedule_formats_text(bool written);

}  // namespace unirack::topo
