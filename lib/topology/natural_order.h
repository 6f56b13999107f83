// The order of names that people expect: runs of digits compare as numbers, so "gpu2" stands before
// "gpu10". A total order: names that differ only in leading zeros compare as text. Pure.
#pragma once

#include <string_view>

namespace unirack {

// Negative, zero or positive, like memcmp.
int natural_compare(std::string_view a, std::string_view b);

inline bool natural_less(std::string_view a, std::string_view b) {
  return natural_compare(a, b) < 0;
}

}  // namespace unirack
