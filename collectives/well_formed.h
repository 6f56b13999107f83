// What can be said of a schedule without running it: every step names ranks, lanes, blocks and
// parts that exist, moves data in a direction that its rank may, and places parts where their block
// lies. verify() begins with this; nothing after it need check an index. Pure; any thread.
#pragma once

#include "collectives/schedule.h"
#include "lib/base/result.h"

namespace unirack {

Status check_well_formed(const Schedule& schedule);

}  // namespace unirack
