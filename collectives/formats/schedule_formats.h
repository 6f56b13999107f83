// Every file format of schedules, in one table: our own text, and those of others. Pure functions,
// callable from any thread; linked with the topology tool, not with the library.
//
// A reader is bounded and answers a bad file with its line, the element and what was expected. What
// it accepts need not be right: verify() decides that.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "collectives/schedule.h"

namespace unirack {

struct ScheduleFormat {
  std::string_view name;  // as in --from and --to: "msccl-xml"
  std::string_view what;  // one line for --help
  // Whether text that begins like this may be of this format; cheap. Null: cannot be read.
  bool (*recognises)(std::string_view text) = nullptr;
  Result<Schedule> (*read)(std::string_view text) = nullptr;
  Result<std::string> (*write)(const Schedule& schedule) = nullptr;  // null: cannot be written
};

std::span<const ScheduleFormat> schedule_formats();
// Null: there is none.
const ScheduleFormat* find_schedule_format(std::string_view name);
// Of those that can be read.
const ScheduleFormat* recognise_schedule(std::string_view text);

}  // namespace unirack
