// The instruction sets the kernels are compiled for: include before any header of Highway.
//
// SSSE3 alone (no SSE4.1) was last sold in 2008; without it a build compiles one set fewer, and
// such a CPU still runs the portable baseline. That baseline is one lane at a time, as Highway has
// it anyway for g++ 12.2: emulated vectors would take clang minutes to compile and help nobody.
#pragma once

#include <hwy/detect_compiler_arch.h>

#define HWY_BROKEN_EMU128 1

#if HWY_ARCH_X86
#define HWY_DISABLED_TARGETS HWY_SSSE3
#endif
