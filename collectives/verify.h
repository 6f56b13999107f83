// Proves a schedule right, or says where it is wrong.
//
// The schedule is executed symbolically for 1, `stages` and `stages` + 1 tiles, out of place and,
// if it claims so, in place. Proven: every output part holds every contribution exactly once, in
// the tree of the sum shape unless the schedule reassociates; no step reads what nobody wrote; no
// two accesses race, whatever the interleaving and however late puts and gets land; no lane waits
// for ever; nothing touches a peer's buffers before the peer has entered the operation or after its
// program has ended, so any operation may follow any other.
//
// Why one run suffices: counters have one writer each and rise, so what a wait is ordered after
// does not depend on timing. Order is then a partial order on steps, kept as vector clocks, and
// values do not depend on timing where nothing races.
#pragma once

#include "collectives/schedule.h"
#include "lib/base/result.h"

namespace unirack {

Status verify(const Schedule& schedule);

}  // namespace unirack
