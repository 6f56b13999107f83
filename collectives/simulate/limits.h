// Which resources can hold anything up. One that can carry whatever the ports before it, or those
// behind it, let through is never full, and need not be looked at when rates are settled: where
// uplinks are as wide as the ports below them, as in most fabrics, only ports are left. Pure.
#pragma once

#include "collectives/simulate/model.h"

namespace unirack {

// Puts the uses that may limit a way first, and counts them.
void find_limits(Model& model);

}  // namespace unirack
