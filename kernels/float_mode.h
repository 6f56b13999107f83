// Puts the thread into the default floating-point mode while it lives: round to nearest even,
// subnormals kept, nothing trapped. The caller's mode comes back afterwards with its exception
// flags as they were. Frameworks do flush subnormals, and results must not depend on who called.
//
// The compiler does not know that arithmetic depends on the mode: do the arithmetic in a function
// that it cannot inline into the scope of this object.
#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace unirack {

#if defined(__x86_64__)

class DefaultFloatMode {
 public:
  DefaultFloatMode() : saved_(_mm_getcsr()) { _mm_setcsr(kDefaultMode); }
  ~DefaultFloatMode() { _mm_setcsr(saved_); }
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

 private:
  static constexpr unsigned kDefaultMode = 0x1f80;  // MXCSR at reset: all exceptions masked
  unsigned saved_;
};

#else

class DefaultFloatMode {
 public:
  DefaultFloatMode() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatMode() { std::fesetenv(&saved_); }
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

 private:
  std::fenv_t saved_;
};

#endif

}  // namespace unirack
