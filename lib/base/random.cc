#include "lib/base/random.h"

#include <sys/random.h>

#include <bit>
#include <cerrno>

namespace unirack {

Status fill_random(Bytes target) {
  while (!target.empty()) {
    const ssize_t got = ::getrandom(target.data(), target.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return make_error(Code::system, "getrandom failed", kNoRank, errno);
    }
    target = target.subspan(static_cast<size_t>(got));
  }
  return ok_status();
}

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15ull;
    uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    word = mixed ^ (mixed >> 31);
  }
}

uint64_t Random::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::below(uint64_t bound) {
  // Values under 2^64 mod bound are drawn again: what is left divides evenly.
  const uint64_t threshold = (0 - bound) % bound;
  for (;;) {
    const uint64_t value = next();
    if (value >= threshold) return value % bound;
  }
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

void Random::fill(Bytes target) {
  while (!target.empty()) {
    std::byte raw[sizeof(uint64_t)];
    store_little(raw, next());
    const size_t part = target.size() < sizeof(raw) ? target.size() : sizeof(raw);
    std::memcpy(target.data(), raw, part);
    target = target.subspan(part);
  }
}

}  // namespace unirack
