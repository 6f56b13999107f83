// MSCCL's algorithms as schedules. A send becomes a put, straight into the receiver's output where
// a finished value is kept there, else into scratch that this message has for itself; a receive
// waits for the signal behind it. Whoever writes scratch of another lane waits until that lane is
// done with it two or three tiles before. Sums on the way are kept as accumulators. Pure.
#pragma once

#include <string_view>

#include "collectives/schedule.h"

namespace unirack {

// Whether text that begins like this may be one; cheap.
bool recognises_msccl_xml(std::string_view text);

// The file must be right by its own rules: no race, nobody waits for ever. Whether it does what its
// collective asks is for verify() to say. Channels become lanes; where that could not be proved
// safe and one lane can, there is one, and `in_place` is claimed only where it can be proved.
Result<Schedule> schedule_from_msccl_xml(std::string_view text);

}  // namespace unirack
