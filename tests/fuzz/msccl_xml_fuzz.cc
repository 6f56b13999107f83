// Feeds text to the reader of MSCCL's algorithms. What it accepts is well formed, prints to a text
// that means the same, and is safe to verify.
#include <string_view>

#include "collectives/formats/msccl_schedule.h"
#include "collectives/well_formed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto schedule =
      unirack::schedule_from_msccl_xml({reinterpret_cast<const char*>(data), size});
  if (!schedule) return 0;
  if (!unirack::check_well_formed(*schedule)) __builtin_trap();
  const auto again = unirack::schedule_from_text(to_text(*schedule));
  if (!again || again->hash() != schedule->hash()) __builtin_trap();
  return 0;
}
