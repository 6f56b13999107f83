#include "perf/topo/schedule_bound.h"

#include <fmt/format.h>

namespace unirack::topo {

namespace {

ScheduleBound of(const Bound& bound) { return {bound.algbw, bound.cut}; }

}  // namespace

uint64_t ScheduleBound::time_ps(uint64_t bytes) const {
  if (algbw.is_unlimited() || algbw.numerator == 0) return 0;
  constexpr Wide kSecond = 1'000'000'000'000;
  // Terms of a bound have some fifty bits; a double keeps what matters where they have more.
  Wide product = 0;
  if (__builtin_mul_overflow(static_cast<Wide>(bytes) * kSecond, algbw.denominator, &product)) {
    return static_cast<uint64_t>(static_cast<double>(bytes) * 1e12 / algbw.value());
  }
  return static_cast<uint64_t>(product / algbw.numerator);
}

std::optional<ScheduleBound> schedule_bound(const Bounds& bounds, Collective collective,
                                            Rank root) {
  const NodeIndex node = bounds.graph().members()[static_cast<size_t>(root)];
  switch (collective) {
    case Collective::all_reduce:
      // Not that of a reduce-scatter followed by an all-gather, which can be beaten.
      return of(bounds.all_reduce().any);
    case Collective::reduce_scatter:
      return of(bounds.reduce_scatter());
    case Collective::all_gather:
      return of(bounds.all_gather());
    case Collective::broadcast:
      return of(bounds.broadcast(node));
    case Collective::reduce:
      return of(bounds.reduce(node));
    case Collective::all_to_all: {
      const AllToAllBound both = bounds.all_to_all();
      ScheduleBound result{both.algbw, both.cut.cut};
      if (both.distance && *both.distance < both.cut.algbw) {
        result.cut.words = "the bytes that shortest paths put on all links together";
      }
      return result;
    }
    default:
      return std::nullopt;
  }
}

std::string bound_text(const ScheduleBound& bound) {
  if (bound.algbw.is_unlimited()) return "nothing whose speed is known";
  if (bound.algbw.numerator == 0) return "impossible: " + bound.cut.words;
  return fmt::format("at most {}{}{}", rate_text(bound.algbw), bound.cut.words.empty() ? "" : ": ",
                     bound.cut.words);
}

}  // namespace unirack::topo
