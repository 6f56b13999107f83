#include "perf/topo/schedule_input.h"

#include <fmt/format.h>

#include "collectives/formats/schedule_formats.h"
#include "perf/topo/command_line.h"
#include "perf/topo/input.h"

namespace unirack::topo {

void add_schedule_input(CommandLine& command, ScheduleInput& input) {
  command.argument("FILE", input.source, true,
                   "a schedule: as Unirack prints it or MSCCL XML; - for standard input");
  command.option("--from", "FORMAT", input.format,
                 "the file's format; default: recognised by its content");
}

Result<Schedule> load_schedule(const Console& console, const ScheduleInput& input) {
  const Progress progress(console, "reading " + input.source);
  return schedule_of_text(UNIRACK_TRY(read_text(console, input.source)), input);
}

Result<Schedule> schedule_of_text(std::string_view text, const ScheduleInput& input) {
  const std::string name = input.source == "-" ? "standard input" : input.source;
  const ScheduleFormat* format =
      input.format.empty() ? recognise_schedule(text) : find_schedule_format(input.format);
  if (format == nullptr || format->read == nullptr) {
    return make_error(Code::invalid_argument,
                      input.format.empty()
                          ? fmt::format("{}: is no schedule: expected one of {}", name,
                                        schedule_formats_text(false))
                          : fmt::format("{}: '{}' cannot be read: expected one of {}", name,
                                        input.format, schedule_formats_text(false)));
  }
  auto schedule = format->read(text);
  if (schedule) return schedule;
  Error error = std::move(schedule).error();
  error.detail = name + ": " + error.detail;
  return error;
}

bool is_schedule(std::string_view text, std::string_view format) {
  return format.empty() ? recognise_schedule(text) != nullptr
                        : find_schedule_format(format) != nullptr;
}

std::string schedule_title(const Schedule& schedule) {
  const ScheduleHeader& header = schedule.header();
  return fmt::format("{} {} of {} rank{}", collective_name(header.collective), header.algorithm,
                     header.rank_count, header.rank_count == 1 ? "" : "s");
}

std::string schedule_formats_text(bool written) {
  std::string text;
  for (const ScheduleFormat& format : schedule_formats()) {
    if (written ? format.write == nullptr : format.read == nullptr) continue;
    text += (text.empty() ? "" : ", ") + std::string(format.name);
  }
  return text;
}

}  // namespace unirack::topo
