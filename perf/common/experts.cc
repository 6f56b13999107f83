#include "perf/common/experts.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace unirack::perf {
namespace {

// Uniform in (0, 1).
double uniform(uint64_t rank, uint64_t token, uint64_t expert) {
  uint64_t x = rank * 0x9e3779b97f4a7c15u + token * 0xc2b2ae3d27d4eb4fu + expert + 1;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return (static_cast<double>((x ^ (x >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

// Zipf with exponent 1 over a fixed shuffle of the experts.
double popularity(const ExpertShape& shape, size_t expert) {
  if (shape.skew == "uniform") return 1;
  return 1.0 / static_cast<double>(1 + (expert * 37 + 11) % shape.experts);
}

}  // namespace

std::string validate(const ExpertShape& shape) {
  constexpr size_t kLimit = size_t{1} << 20;
  if (shape.experts < 1 || shape.experts > 4096) return "--experts: expected 1 to 4096";
  if (shape.topk < 1 || shape.topk > shape.experts) return "--topk: expected 1 to the experts";
  if (shape.tokens > kLimit || shape.hidden < 1 || shape.hidden > kLimit) {
    return "--tokens and --hidden: expected at most 1048576";
  }
  if (shape.skew != "zipf" && shape.skew != "uniform") return "--skew: expected zipf or uniform";
  return {};
}

std::vector<size_t> route_tokens(const ExpertShape& shape, int rank_count) {
  const auto ranks = static_cast<size_t>(rank_count);
  std::vector<size_t> pairs(ranks * ranks);
  std::vector<std::pair<double, size_t>> order(shape.experts);
  for (size_t rank = 0; rank < ranks; ++rank) {
    for (size_t token = 0; token < shape.tokens; ++token) {
      // Exponential races: the topk first arrivals are a weighted choice without repetition.
      for (size_t expert = 0; expert < shape.experts; ++expert) {
        order[expert] = {-std::log(uniform(rank, token, expert)) / popularity(shape, expert),
                         expert};
      }
      const auto chosen = order.begin() + static_cast<std::ptrdiff_t>(shape.topk);
      std::partial_sort(order.begin(), chosen, order.end());
      for (auto it = order.begin(); it != chosen; ++it) {
        ++pairs[rank * ranks + it->second * ranks / shape.experts];
      }
    }
  }
  return pairs;
}

}  // namespace unirack::perf
