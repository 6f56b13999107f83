// Feeds text to the reader of NCCL's topology files. What it accepts and may be written is read
// back to as many GPUs and ports, and written again to the same text.
#include "tests/fuzz/round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  unirack::testing::check_round_trip("nccl-xml", {reinterpret_cast<const char*>(data), size}, true);
  return 0;
}
