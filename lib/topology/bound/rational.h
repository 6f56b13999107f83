// Exact fractions of wide integers, for bounds and their certificates: compared without rounding
// and without overflow, whatever the terms. Not negative; denominator 0 stands for "unlimited".
// Plain values, no thread promises needed.
#pragma once

#include <compare>
#include <cstdint>

namespace unirack {

using Wide = __int128;

constexpr Wide greatest_divisor(Wide a, Wide b) {
  while (b != 0) {
    const Wide rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

struct Rational {
  Wide numerator = 0;
  Wide denominator = 1;

  constexpr bool is_unlimited() const { return denominator == 0; }
  double value() const { return static_cast<double>(numerator) / static_cast<double>(denominator); }
};

inline constexpr Rational kUnlimited{1, 0};

// In lowest terms.
constexpr Rational ratio(Wide numerator, Wide denominator = 1) {
  if (denominator == 0) return kUnlimited;
  const Wide divisor = greatest_divisor(numerator, denominator);
  return {numerator / divisor, denominator / divisor};
}

// By continued fractions: equal integer parts leave the reciprocals of what remains.
constexpr std::strong_ordering operator<=>(Rational a, Rational b) {
  for (;;) {
    if (a.denominator == 0 || b.denominator == 0) {
      return (a.denominator == 0) <=> (b.denominator == 0);
    }
    const Wide whole_a = a.numerator / a.denominator;
    const Wide whole_b = b.numerator / b.denominator;
    if (whole_a != whole_b) {
      return whole_a < whole_b ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    const Rational next{b.denominator, b.numerator % b.denominator};
    b = {a.denominator, a.numerator % a.denominator};
    a = next;
  }
}
constexpr bool operator==(Rational a, Rational b) { return (a <=> b) == 0; }

constexpr Rational smaller(Rational a, Rational b) { return b < a ? b : a; }

// 1 / (1/a + 1/b): the rate of doing one after the other. Where the exact terms would not fit, it
// is rounded up, so that a bound stays a bound.
constexpr Rational one_after_other(Rational a, Rational b) {
  if (a.is_unlimited()) return b;
  if (b.is_unlimited()) return a;
  if (a.numerator == 0 || b.numerator == 0) return {0, 1};
  for (int halvings = 0;; ++halvings) {
    const Wide common = greatest_divisor(a.numerator, b.numerator);
    const Wide m = a.numerator / common;
    const Wide n = b.numerator / common;
    Wide product = 0;
    Wide left = 0;
    Wide right = 0;
    Wide sum = 0;
    if (!__builtin_mul_overflow(m, b.numerator, &product) &&
        !__builtin_mul_overflow(m, b.denominator, &left) &&
        !__builtin_mul_overflow(n, a.denominator, &right) &&
        !__builtin_add_overflow(left, right, &sum)) {
      return halvings == 0 ? ratio(product, sum) : Rational{(product / sum + 1) << halvings, 1};
    }
    a.numerator = a.numerator / 2 + 1;
    b.numerator = b.numerator / 2 + 1;
  }
}

}  // namespace unirack
