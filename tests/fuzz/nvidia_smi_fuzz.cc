// Feeds text to the reader of nvidia-smi's matrix. What it accepts is written as a matrix that is
// read back to as many GPUs and ports, and written again to the same text.
#include "tests/fuzz/round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  unirack::testing::check_round_trip("nvidia-smi", {reinterpret_cast<const char*>(data), size},
                                     false);
  return 0;
}
