#include "collectives/forest/spread.h"

#include <algorithm>

#include "lib/topology/bound/rational.h"

namespace unirack {

namespace {

// What is left on two sides that are no allowed pair takes the place of a pair that is: a -> b
// becomes a -> to and from -> b.
class Exchange {
 public:
  Exchange(std::vector<int64_t>& enters, std::vector<int64_t>& leaves, std::vector<int64_t>& dealt,
           const std::vector<uint8_t>& allowed)
      : enters_(enters), leaves_(leaves), dealt_(dealt), allowed_(allowed) {}

  void run() {
    for (size_t from = 0; from < enters_.size(); ++from) {
      for (size_t to = 0; to < leaves_.size() && enters_[from] > 0; ++to) place(from, to);
    }
  }

 private:
  size_t at(size_t from, size_t to) const { return from * enters_.size() + to; }

  void place(size_t from, size_t to) {
    for (size_t a = 0; a < enters_.size(); ++a) {
      if (allowed_[at(a, to)] == 0) continue;
      for (size_t b = 0; b < enters_.size(); ++b) {
        const int64_t amount = std::min({enters_[from], leaves_[to], dealt_[at(a, b)]});
        if (amount <= 0 || allowed_[at(from, b)] == 0) continue;
        dealt_[at(a, b)] -= amount;
        dealt_[at(a, to)] += amount;
        dealt_[at(from, b)] += amount;
        enters_[from] -= amount;
        leaves_[to] -= amount;
      }
    }
  }

  std::vector<int64_t>& enters_;
  std::vector<int64_t>& leaves_;
  std::vector<int64_t>& dealt_;
  const std::vector<uint8_t>& allowed_;
};

}  // namespace

std::vector<int64_t> spread(std::vector<int64_t>& enters, std::vector<int64_t>& leaves,
                            const std::function<bool(size_t, size_t)>& is_allowed, size_t first) {
  const size_t count = enters.size();
  std::vector<int64_t> dealt(count * count, 0);
  std::vector<uint8_t> allowed(count * count, 0);
  for (size_t i = 0; i < count * count; ++i) {
    allowed[i] = is_allowed(i / count, i % count) ? 1 : 0;
  }
  std::vector<int64_t> reachable(count);
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t from = 0; from < count; ++from) {
      reachable[from] = 0;
      for (size_t to = 0; to < count; ++to) {
        if (allowed[from * count + to] != 0) reachable[from] += leaves[to];
      }
    }
    const std::vector<int64_t> wanted = enters;
    const std::vector<int64_t> offered = leaves;
    for (size_t shift = 0; shift < count; ++shift) {
      for (size_t from = 0; from < count; ++from) {
        const size_t to = (from + first + shift) % count;
        if (allowed[from * count + to] == 0 || reachable[from] == 0) continue;
        const auto share =
            static_cast<int64_t>(Wide{wanted[from]} * offered[to] / Wide{reachable[from]});
        const int64_t amount = std::min({std::max<int64_t>(share, 1), enters[from], leaves[to]});
        if (amount <= 0) continue;
        dealt[from * count + to] += amount;
        enters[from] -= amount;
        leaves[to] -= amount;
        moved = true;
      }
    }
  }
  Exchange(enters, leaves, dealt, allowed).run();
  return dealt;
}

}  // namespace unirack
