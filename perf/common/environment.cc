#include "perf/common/environment.h"

#include <charconv>
#include <cstdlib>

namespace unirack::perf {

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

std::optional<int> environment_number(const char* name) {
  const std::string text = environment(name);
  const char* end = text.data() + text.size();
  int value = 0;
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < 0) return std::nullopt;
  return value;
}

}  // namespace unirack::perf
