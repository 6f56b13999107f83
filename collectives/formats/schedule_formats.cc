#include "collectives/formats/schedule_formats.h"

#include <algorithm>
#include <array>

#include "collectives/formats/msccl_schedule.h"
#include "collectives/formats/mscclpp_json.h"

namespace unirack {

namespace {

bool recognises_text(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return false;
  text.remove_prefix(begin);
  // Comments may come first.
  while (text.starts_with('#')) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text.starts_with("unirack schedule");
}

Result<std::string> write_text_form(const Schedule& schedule) { return to_text(schedule); }

constexpr auto kFormats = std::to_array<ScheduleFormat>({
    {"schedule", "a schedule as Unirack prints it, a line a step", recognises_text,
     schedule_from_text, write_text_form},
    {"msccl-xml", "an algorithm as MSCCL and RCCL read it", recognises_msccl_xml,
     schedule_from_msccl_xml, nullptr},
    {"mscclpp-json", "an execution plan of MSCCL++", nullptr, nullptr, schedule_to_mscclpp_json},
});

}  // namespace

std::span<const ScheduleFormat> schedule_formats() { return kFormats; }

const ScheduleFormat* find_schedule_format(std::string_view name) {
  const auto* const found =
      std::find_if(kFormats.begin(), kFormats.end(),
                   [&](const ScheduleFormat& format) { return format.name == name; });
  return found == kFormats.end() ? nullptr : &*found;
}

const ScheduleFormat* recognise_schedule(std::string_view text) {
  const auto* const found =
      std::find_if(kFormats.begin(), kFormats.end(), [&](const ScheduleFormat& format) {
        return format.recognises != nullptr && format.recognises(text);
      });
  return found == kFormats.end() ? nullptr : &*found;
}

}  // namespace unirack
