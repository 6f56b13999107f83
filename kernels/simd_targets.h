// The instruction sets the kernels are compiled for: include before any header of Highway.
//
// SSSE3 alone (no SSE4.1) was last sold in 2008; without it a build compiles one set fewer, and
// such a CPU still runs the portable baseline.
#pragma once

#include "hwy/detect_compiler_arch.h"

#if HWY_ARCH_X86
#define HWY_DISABLED_TARGETS HWY_SSSE3
#endif
