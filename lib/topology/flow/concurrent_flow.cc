#include "lib/topology/flow/concurrent_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/topology/flow/fold.h"

namespace unirack {

namespace {

constexpr size_t kColumnsMax = 4'000'000;
// Beyond these the simplex method takes minutes.
constexpr size_t kFoldedRowsMax = 20'000;
constexpr double kInfinity = std::numeric_limits<double>::max();

struct Arc {
  uint32_t from;
  uint32_t to;
  Wide capacity;
};

// Both directions of every pipe that carries something.
std::vector<Arc> arcs_of(const CutNetwork& network) {
  std::vector<Arc> arcs;
  for (const Pipe& pipe : network.pipes) {
    if (pipe.a_to_b != 0) arcs.push_back({pipe.a, pipe.b, pipe.a_to_b});
    if (pipe.b_to_a != 0) arcs.push_back({pipe.b, pipe.a, pipe.b_to_a});
  }
  return arcs;
}

// Columns: the time, then for each source what it sends over each arc. Rows: for each arc that
// limits, capacity * time covers the flows; then for each source what stays at each other place.
class FlowProgram {
 public:
  explicit FlowProgram(const CutNetwork& network) : network_(network), arcs_(arcs_of(network)) {
    time_ = program_.add_column(1);
    for (const Arc& arc : arcs_) {
      arc_rows_.push_back(arc.capacity == kFree ? kNoPlace : program_.add_row(0, kInfinity));
      if (arc.capacity == kFree) continue;
      program_.entries.push_back({arc_rows_.back(), time_, static_cast<double>(arc.capacity)});
    }
    for (const uint32_t source : network.member_places) add_source(source);
  }

  const LinearProgram& program() const { return program_; }
  // The prices of capacities, in the order of pipes; 0 where there is none.
  std::vector<std::pair<double, double>> prices(const LpSolution& solution) const {
    std::vector<std::pair<double, double>> prices;
    size_t arc = 0;
    const auto next = [&](Wide capacity) {
      if (capacity == 0) return 0.0;
      const uint32_t row = arc_rows_[arc++];
      return row == kNoPlace ? 0.0 : std::max(0.0, solution.row_prices[row]);
    };
    for (const Pipe& pipe : network_.pipes) {
      const double there = next(pipe.a_to_b);
      prices.emplace_back(there, next(pipe.b_to_a));
    }
    return prices;
  }

 private:
  void add_source(uint32_t source) {
    std::vector<uint32_t> rows(network_.place_count, kNoPlace);
    for (uint32_t place = 0; place < network_.place_count; ++place) {
      if (place == source) continue;
      const double stays = static_cast<double>(network_.members_in[source]) *
                           static_cast<double>(network_.members_in[place]);
      rows[place] = program_.add_row(stays, stays);
    }
    for (size_t i = 0; i < arcs_.size(); ++i) {
      if (arcs_[i].to == source) continue;
      const uint32_t flow = program_.add_column(0);
      if (arc_rows_[i] != kNoPlace) program_.entries.push_back({arc_rows_[i], flow, -1});
      program_.entries.push_back({rows[arcs_[i].to], flow, 1});
      if (arcs_[i].from != source) program_.entries.push_back({rows[arcs_[i].from], flow, -1});
    }
  }

  const CutNetwork& network_;
  std::vector<Arc> arcs_;
  std::vector<uint32_t> arc_rows_;
  LinearProgram program_;
  uint32_t time_ = 0;
};

// Whole lengths in the ratio of the prices: of small terms if that fits, else of thirty bits.
class Lengths {
 public:
  explicit Lengths(std::vector<std::pair<double, double>> prices) : prices_(std::move(prices)) {
    for (const auto& [there, back] : prices_) most_ = std::max({most_, there, back});
    least_ = most_;
    for (const auto& [there, back] : prices_) {
      for (const double price : {there, back}) {
        if (price > most_ * 1e-7) least_ = std::min(least_, price);
      }
    }
  }

  std::vector<PipeLengths> best(const CutNetwork& network) const {
    std::vector<PipeLengths> best = scaled(static_cast<double>(1u << 30) / most_);
    Rational algbw = length_bound(network, best);
    for (int terms = 1; terms <= 24; ++terms) {
      const double scale = terms / least_;
      if (!is_whole(scale)) continue;
      std::vector<PipeLengths> lengths = scaled(scale);
      const Rational limit = length_bound(network, lengths);
      if (limit > algbw) break;
      return lengths;
    }
    return best;
  }
  bool all_zero() const { return most_ <= 0; }

 private:
  bool is_whole(double scale) const {
    if (most_ * scale > static_cast<double>(kLengthMax)) return false;
    return std::all_of(prices_.begin(), prices_.end(), [&](const auto& price) {
      const double there = price.first * scale;
      const double back = price.second * scale;
      return std::abs(there - std::round(there)) < 1e-4 && std::abs(back - std::round(back)) < 1e-4;
    });
  }
  std::vector<PipeLengths> scaled(double scale) const {
    std::vector<PipeLengths> lengths;
    for (const auto& [there, back] : prices_) {
      lengths.push_back({static_cast<uint64_t>(std::llround(there * scale)),
                         static_cast<uint64_t>(std::llround(back * scale))});
    }
    return lengths;
  }

  std::vector<std::pair<double, double>> prices_;
  double most_ = 0;
  double least_ = 0;
};

Error too_large(const char* what, size_t found, size_t most) {
  return make_error(
      Code::resource_exhausted,
      fmt::format("the exact all-to-all has {} {}, at most {} are tried", found, what, most));
}

}  // namespace

Result<AllToAllOptimum> solve_all_to_all(const CutNetwork& network) {
  AllToAllOptimum optimum;
  optimum.algbw = kUnlimited;
  optimum.reached = std::numeric_limits<double>::infinity();
  const size_t columns = network.member_places.size() * network.pipes.size() * 2;
  if (network.member_places.size() < 2) return optimum;
  if (columns > kColumnsMax) return too_large("flows", columns, kColumnsMax);
  const Rational by_hops = length_bound(network, std::vector<PipeLengths>(network.pipes.size()));
  if (by_hops.is_unlimited() || by_hops == Rational{0, 1}) {
    optimum.algbw = by_hops;
    optimum.reached = by_hops.value();
    return optimum;
  }
  const FlowProgram flows(network);
  const FoldedProgram folded = fold(flows.program());
  optimum.column_count = flows.program().cost.size();
  optimum.folded_column_count = folded.program.cost.size();
  if (folded.program.lower.size() > kFoldedRowsMax) {
    return too_large("rows", folded.program.lower.size(), kFoldedRowsMax);
  }
  const LpSolution solution = unfold(folded, UNIRACK_TRY(solve(folded.program)));
  const Lengths lengths(flows.prices(solution));
  if (lengths.all_zero()) return make_error(Code::internal, "CLP gave no capacity a price");
  optimum.lengths = lengths.best(network);
  optimum.algbw = length_bound(network, optimum.lengths);
  optimum.reached = static_cast<double>(network.member_count) * static_cast<double>(network.unit) /
                    solution.value;
  return optimum;
}

}  // namespace unirack
