// Feeds text to the reader of costs files. What it accepts must be written to a text that means the
// same.
#include <string_view>

#include "collectives/calibrate/costs_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto costs = unirack::costs_from_text({reinterpret_cast<const char*>(data), size});
  if (!costs) return 0;
  const std::string text = to_text(*costs);
  const auto again = unirack::costs_from_text(text);
  if (!again || *again != *costs || to_text(*again) != text) __builtin_trap();
  (void)summary_of(*costs);
  return 0;
}
