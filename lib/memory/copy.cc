#include "lib/memory/copy.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace unirack {
namespace {

#if defined(__x86_64__)

// Both need a target aligned to their vector and a whole number of 128-byte blocks.
__attribute__((target("avx2"))) void stream_avx2(std::byte* target, const std::byte* source,
                                                 size_t bytes) {
  for (size_t at = 0; at < bytes; at += 128) {
    const auto* from = reinterpret_cast<const __m256i*>(source + at);
    auto* to = reinterpret_cast<__m256i*>(target + at);
    const __m256i a = _mm256_loadu_si256(from);
    const __m256i b = _mm256_loadu_si256(from + 1);
    const __m256i c = _mm256_loadu_si256(from + 2);
    const __m256i d = _mm256_loadu_si256(from + 3);
    _mm256_stream_si256(to, a);
    _mm256_stream_si256(to + 1, b);
    _mm256_stream_si256(to + 2, c);
    _mm256_stream_si256(to + 3, d);
  }
}

void stream_sse2(std::byte* target, const std::byte* source, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(target + at),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + at)));
  }
}

void copy_streaming(std::byte* target, const std::byte* source, size_t bytes) {
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  const size_t head = std::min(bytes, -reinterpret_cast<uintptr_t>(target) % 64);
  const size_t body = (bytes - head) / 128 * 128;
  std::memcpy(target, source, head);
  (has_avx2 ? stream_avx2 : stream_sse2)(target + head, source + head, body);
  std::memcpy(target + head + body, source + head + body, bytes - head - body);
  _mm_sfence();
}

#else

void copy_streaming(std::byte* target, const std::byte* source, size_t bytes) {
  std::memcpy(target, source, bytes);
}

#endif

}  // namespace

size_t streaming_threshold_bytes() {
  // Source and target, here and in the peer that reads or wrote them, share the cache: a copy of
  // an eighth of it no longer leaves room for anything else.
  static const size_t threshold = [] {
    const long cache_bytes = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
    const size_t eighth = cache_bytes > 0 ? static_cast<size_t>(cache_bytes) / 8 : 0;
    return std::clamp(eighth, size_t{2} << 20, size_t{64} << 20);
  }();
  return threshold;
}

void copy_bytes(std::byte* target, const std::byte* source, size_t bytes, CopyKind kind) {
  if (bytes == 0 || target == source) return;
  if (kind == CopyKind::streaming) {
    copy_streaming(target, source, bytes);
  } else {
    std::memcpy(target, source, bytes);
  }
}

}  // namespace unirack
