// Feeds text to the schedule parser. What it accepts must print to a text that means the same, and
// be safe to verify.
#include <string_view>

#include "collectives/schedule.h"
#include "collectives/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto schedule = unirack::schedule_from_text({reinterpret_cast<const char*>(data), size});
  if (!schedule) return 0;
  const std::string text = to_text(*schedule);
  const auto again = unirack::schedule_from_text(text);
  if (!again || again->hash() != schedule->hash() || to_text(*again) != text) __builtin_trap();
  // Larger ones take longer than a fuzzer should wait.
  const auto& header = schedule->header();
  if (header.rank_count <= 8 && header.chunks <= 64 && header.stages <= 4) {
    (void)unirack::verify(*schedule);
  }
  return 0;
}
