// What a rank tells all others in a turn of calibration: costs, why it has none, or what failed.
// Costs travel as the text of a costs file, so there is one form of them to get right. Plain
// values; encode and decode are pure.
#pragma once

#include <cstdint>
#include <vector>

#include "collectives/calibrate/calibrate.h"
#include "lib/base/bytes.h"

namespace unirack {

enum class ReportKind : uint8_t {
  nothing,  // it did not measure
  costs,    // what was measured, the rest as assumed; from rank 0 at first: those to use
  measure,  // from rank 0 at first: measure
  refused,  // what it measured made no sense
  failed,   // the pool cannot be made
};

struct CalibrationReport {
  ReportKind kind = ReportKind::nothing;
  CostsOrigin origin = CostsOrigin::measured;
  Costs costs;
  Error error;  // refused and failed
};

std::vector<std::byte> encode_report(const CalibrationReport& report);
Result<CalibrationReport> decode_report(BytesView bytes);

}  // namespace unirack
