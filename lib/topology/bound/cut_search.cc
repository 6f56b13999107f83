#include "lib/topology/bound/cut_search.h"

#include <algorithm>

#include "lib/topology/bound/local_flow.h"

namespace unirack {

namespace {

// Calls `search` with the integer type in which terms up to `largest` can be added.
template <class Search>
auto with_amounts_up_to(Wide largest, Search&& search) {
  return largest < (Wide{1} << 61) ? search(int64_t{0}) : search(Wide{0});
}

std::vector<bool> marks_of(const CutNetwork& network, std::span<const uint32_t> places) {
  std::vector<bool> marks(network.place_count, false);
  for (const uint32_t place : places) marks[place] = true;
  return marks;
}

Wide members_in(const CutNetwork& network, std::span<const uint32_t> places) {
  Wide count = 0;
  for (const uint32_t place : places) count += network.members_in[place];
  return count;
}

// What enters each place; kFree: no limit.
std::vector<Wide> capacities_into_places(const CutNetwork& network, bool reversed) {
  std::vector<Wide> into(network.place_count, 0);
  const auto add = [&](uint32_t place, Wide capacity) {
    into[place] = into[place] == kFree || capacity == kFree ? kFree : into[place] + capacity;
  };
  for (const Pipe& pipe : network.pipes) {
    add(pipe.b, reversed ? pipe.b_to_a : pipe.a_to_b);
    add(pipe.a, reversed ? pipe.a_to_b : pipe.b_to_a);
  }
  return into;
}

void reduce_terms(SlowestCut& cut) {
  const Rational lowest = ratio(cut.members, cut.capacity);
  if (cut.capacity == 0) return;
  cut.members = lowest.numerator;
  cut.capacity = lowest.denominator;
}

// The slowest of the cuts around one place; without any, less than every cut.
SlowestCut slowest_place(const CutNetwork& network, bool reversed) {
  SlowestCut slowest{1, network.total + 1, {}};
  const std::vector<Wide> into = capacities_into_places(network, reversed);
  for (const uint32_t place : network.member_places) {
    const Wide outside = Wide{network.member_count} - network.members_in[place];
    if (into[place] == kFree) continue;
    if (outside * slowest.capacity > slowest.members * into[place]) {
      slowest = {outside, into[place], {place}};
    }
  }
  reduce_terms(slowest);
  return slowest;
}

template <class Amount>
SlowestCut slowest_cut(const CutNetwork& network, bool reversed) {
  SlowestCut slowest = slowest_place(network, reversed);
  if (slowest.capacity == 0) return slowest;
  LocalFlow<Amount> flow(network, reversed);
  Amount enough = 0;
  const auto demand = [&] {
    flow.set_scale(static_cast<Amount>(slowest.members));
    flow.set_share(static_cast<Amount>(slowest.capacity));
    enough = static_cast<Amount>(slowest.capacity * network.member_count);
  };
  demand();
  for (const uint32_t place : network.member_places) {
    while (flow.flow_into({&place, 1}, enough) < enough) {
      slowest.cut_off = flow.cut_off();
      slowest.members = Wide{network.member_count} - members_in(network, slowest.cut_off);
      slowest.capacity = capacity_into(network, reversed, slowest.cut_off);
      if (slowest.capacity == 0) return slowest;
      reduce_terms(slowest);
      flow.undo();
      demand();
    }
    flow.undo();
    flow.settle(place);
  }
  if (slowest.cut_off.empty()) slowest.members = 0;
  return slowest;
}

template <class Amount>
SmallestCut smallest_cut(const CutNetwork& network, bool reversed, uint32_t root) {
  SmallestCut smallest;
  const std::vector<Wide> into = capacities_into_places(network, reversed);
  Wide enough = network.total + 1;
  for (const uint32_t place : network.member_places) {
    if (place == root || into[place] == kFree || into[place] >= enough) continue;
    enough = smallest.capacity = into[place];
    smallest.cut_off = {place};
  }
  LocalFlow<Amount> flow(network, reversed);
  flow.settle(root);
  for (const uint32_t place : network.member_places) {
    if (place == root) continue;
    const Wide arrived = flow.flow_into({&place, 1}, static_cast<Amount>(enough));
    if (arrived < enough) {
      enough = smallest.capacity = arrived;
      smallest.cut_off = flow.cut_off();
    }
    flow.undo();
    flow.settle(place);
  }
  return smallest;
}

// How often each capacity occurs among what enters some places.
std::vector<std::pair<Wide, Wide>> distinct_capacities_into(const CutNetwork& network,
                                                            std::span<const uint32_t> places) {
  const std::vector<bool> inside = marks_of(network, places);
  std::vector<Wide> crossing;
  for (const Pipe& pipe : network.pipes) {
    if (inside[pipe.a] == inside[pipe.b]) continue;
    crossing.push_back(inside[pipe.b] ? pipe.a_to_b : pipe.b_to_a);
  }
  std::sort(crossing.begin(), crossing.end());
  std::vector<std::pair<Wide, Wide>> distinct;
  for (const Wide capacity : crossing) {
    if (capacity == 0) continue;
    if (distinct.empty() || distinct.back().first != capacity) distinct.emplace_back(capacity, 0);
    ++distinct.back().second;
  }
  return distinct;
}

// The smallest scale with which floor(scale * capacity) adds up to `needed`. It is i / capacity for
// one of the capacities, and less than 1 / (the smallest capacity) above what would do unrounded.
Rational scale_for(const std::vector<std::pair<Wide, Wide>>& capacities, Wide needed) {
  Wide total = 0;
  for (const auto& [capacity, count] : capacities) total += capacity * count;
  const auto suffices = [&](Wide numerator, Wide denominator) {
    Wide sum = 0;
    for (const auto& [capacity, count] : capacities) {
      sum += std::min(numerator * capacity / denominator, needed) * count;
    }
    return sum >= needed;
  };
  Rational best = kUnlimited;
  for (const auto& [capacity, count] : capacities) {
    Wide low = needed / total * capacity + needed % total * capacity / total;
    Wide high = low + capacity / capacities.front().first + 2;
    while (low < high) {
      const Wide middle = low + (high - low) / 2;
      if (suffices(middle, capacity)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    best = smaller(best, ratio(low, capacity));
  }
  return best;
}

// All members supply, except those of the group that is looked at.
template <class Amount>
class Isolation {
 public:
  Isolation(const CutNetwork& network, bool reversed)
      : flow_(network, reversed), enough_(static_cast<Amount>(network.total + 1)) {
    for (const uint32_t place : network.member_places) flow_.settle(place);
  }

  SmallestCut cut_around(const std::vector<uint32_t>& group) {
    for (const uint32_t place : group) flow_.set_members(place, 0);
    SmallestCut cut;
    const Amount arrived = flow_.flow_into(group, enough_);
    if (arrived < enough_) cut = {arrived, flow_.cut_off()};
    flow_.undo();
    for (const uint32_t place : group) flow_.settle(place);
    return cut;
  }

 private:
  LocalFlow<Amount> flow_;
  Amount enough_;
};

}  // namespace

Wide capacity_into(const CutNetwork& network, bool reversed, std::span<const uint32_t> places) {
  const std::vector<bool> inside = marks_of(network, places);
  Wide sum = 0;
  for (const Pipe& pipe : network.pipes) {
    if (inside[pipe.a] == inside[pipe.b]) continue;
    const Wide capacity = inside[pipe.b] != reversed ? pipe.a_to_b : pipe.b_to_a;
    if (capacity == kFree) return kFree;
    sum += capacity;
  }
  return sum;
}

SlowestCut find_slowest_cut(const CutNetwork& network, bool reversed) {
  if (network.member_places.size() < 2) return {};
  const Wide largest = (network.total + 1) * network.member_count;
  return with_amounts_up_to(
      largest, [&](auto zero) { return slowest_cut<decltype(zero)>(network, reversed); });
}

SmallestCut find_smallest_cut(const CutNetwork& network, bool reversed, uint32_t root) {
  return with_amounts_up_to(network.total + 1, [&](auto zero) {
    return smallest_cut<decltype(zero)>(network, reversed, root);
  });
}

TreeScale find_tree_scale(const CutNetwork& network, Wide k, Rational start) {
  TreeScale found{start, {}};
  const Wide enough = k * network.member_count;
  LocalFlow<int64_t> flow(network, false);
  flow.set_share(static_cast<int64_t>(k));
  const auto demand = [&] {
    flow.set_capacities(network, false, [&](Wide capacity) {
      return std::min(capacity * found.scale.numerator / found.scale.denominator, enough);
    });
  };
  demand();
  for (const uint32_t place : network.member_places) {
    while (flow.flow_into({&place, 1}, static_cast<int64_t>(enough)) < enough) {
      found.cut_off = flow.cut_off();
      const Wide needed = enough - k * members_in(network, found.cut_off);
      found.scale = scale_for(distinct_capacities_into(network, found.cut_off), needed);
      flow.undo();
      demand();
    }
    flow.undo();
    flow.settle(place);
  }
  return found;
}

std::vector<Wide> isolating_capacities(const CutNetwork& network, bool reversed,
                                       std::span<const std::vector<uint32_t>> groups) {
  return with_amounts_up_to(network.total + 1, [&](auto zero) {
    std::vector<Wide> capacities;
    Isolation<decltype(zero)> isolation(network, reversed);
    for (const auto& group : groups) capacities.push_back(isolation.cut_around(group).capacity);
    return capacities;
  });
}

SmallestCut find_isolating_cut(const CutNetwork& network, bool reversed,
                               const std::vector<uint32_t>& group) {
  return with_amounts_up_to(network.total + 1, [&](auto zero) {
    return Isolation<decltype(zero)>(network, reversed).cut_around(group);
  });
}

}  // namespace unirack
