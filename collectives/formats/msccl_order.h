// An order in which the steps of an MSCCL algorithm can run, and the proof that any other order
// does the same: every message is taken, nobody waits for ever, and no two steps touch a chunk, one
// of them writing, unless blocks, messages or dependences put one before the other. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "collectives/formats/msccl_xml.h"

namespace unirack {

struct MscclEvent {
  uint32_t gpu = 0;
  uint32_t block = 0;
  uint32_t step = 0;
};

// `text` is the file, for errors.
Result<std::vector<MscclEvent>> order_msccl(const MscclAlgorithm& algorithm, std::string_view text);

}  // namespace unirack
