// Runs a test once for every instruction set that is compiled in and that this CPU has.
#pragma once

#include <gtest/gtest.h>

#include "kernels/simd_targets.h"
// Highway after the choice of targets.
#include <hwy/highway.h>

namespace unirack::testing {

// Forces the dispatch of the whole process; test bodies run one at a time.
inline void force_simd_target(int64_t target_or_zero) {
  hwy::SetSupportedTargetsForTest(target_or_zero);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

template <class Body>
void for_each_simd_target(const Body& body) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    force_simd_target(target);
    body();
  }
  force_simd_target(0);
}

}  // namespace unirack::testing
