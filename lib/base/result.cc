#include "lib/base/result.h"

#include <array>
#include <cstring>

namespace unirack {

const char* code_name(Code code) {
  static constexpr std::array<const char*, 16> kNames = {"ok",
                                                         "invalid_argument",
                                                         "invalid_usage",
                                                         "mismatch",
                                                         "timeout",
                                                         "peer_failed",
                                                         "revoked",
                                                         "unauthenticated",
                                                         "version_mismatch",
                                                         "resource_exhausted",
                                                         "unavailable",
                                                         "corrupted",
                                                         "stale",
                                                         "system",
                                                         "cuda",
                                                         "internal"};
  const auto index = static_cast<size_t>(code);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string Error::to_string() const {
  std::string text = code_name(code);
  if (!detail.empty()) text += ": " + detail;
  if (culprit != kNoRank) text += " (culprit rank " + std::to_string(culprit) + ")";
  if (sys_errno != 0) {
    std::array<char, 128> buffer{};
    text += std::string(" (") + strerror_r(sys_errno, buffer.data(), buffer.size()) + ")";
  }
  return text;
}

}  // namespace unirack
