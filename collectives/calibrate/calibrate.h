// The costs that a pool's plans are priced by: measured while it is made, kept from an earlier
// time, read from a file, or those published. All ranks end with the same ones.
//
// UNIRACK_CALIBRATION of rank 0 decides. `auto`: those of its cache, else they are measured, in
// less than a second: one pair after the other for each kind of link, while all others sleep; what
// could not be measured stays as assumed. Called once by every rank, before its engine has the
// fabric. Fails as joining does: with who died or did not answer, or with what is wrong with the
// file that rank 0 was told to use.
#pragma once

#include <cstdint>
#include <string>

#include "collectives/fabric.h"
#include "collectives/simulate/costs.h"
#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/base/result.h"
#include "lib/control/control_plane.h"

namespace unirack {

// All measurements together; the wire has the rest of the second.
inline constexpr auto kCalibrationTime = milliseconds(700);

enum class CostsOrigin : uint8_t { assumed, file, cache, measured };

struct Calibration {
  Costs costs = assumed_host_costs();
  CostsOrigin origin = CostsOrigin::assumed;
};

Result<Calibration> calibrate(const Fabric& fabric, ControlPlane& control, const Config& config,
                              Deadline deadline);

// "costs: measured: ethernet 10.25 us + ...": a line for people, without its end.
std::string to_text(const Calibration& calibration);

}  // namespace unirack
