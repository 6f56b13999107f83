#include "lib/topology/bound/distance.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "lib/topology/bound/bound.h"

namespace unirack {

namespace {

// Searches from every member cost this many steps at most: about a second.
constexpr uint64_t kStepsMax = 100'000'000;
constexpr uint64_t kFar = UINT64_MAX;

struct Step {
  uint32_t to;
  uint64_t length;
};

// Where something passes, from each place.
class Roads {
 public:
  explicit Roads(uint32_t place_count) : steps_(place_count), distance_(place_count) {}

  void add(uint32_t from, uint32_t to, uint64_t length) {
    steps_[from].push_back({to, length});
    longest_ = std::max(longest_, length);
  }

  // Distances from `start`; kFar: not reached.
  const std::vector<uint64_t>& distances_from(uint32_t start) {
    distance_.assign(distance_.size(), kFar);
    distance_[start] = 0;
    if (longest_ <= 1) {
      walk_by_layers(start);
    } else {
      walk_by_distance(start);
    }
    return distance_;
  }

 private:
  // Lengths of 0 and 1 need no queue by distance.
  void walk_by_layers(uint32_t start) {
    layer_ = {start};
    for (uint64_t distance = 0; !layer_.empty(); ++distance) {
      for (size_t i = 0; i < layer_.size(); ++i) {
        if (distance_[layer_[i]] < distance) continue;  // reached again without a step
        for (const Step& step : steps_[layer_[i]]) {
          if (distance + step.length >= distance_[step.to]) continue;
          distance_[step.to] = distance + step.length;
          (step.length == 0 ? layer_ : next_layer_).push_back(step.to);
        }
      }
      layer_.swap(next_layer_);
      next_layer_.clear();
    }
  }

  // Dijkstra 1959.
  void walk_by_distance(uint32_t start) {
    next_.push({0, start});
    while (!next_.empty()) {
      const auto [distance, place] = next_.top();
      next_.pop();
      if (distance > distance_[place]) continue;
      for (const Step& step : steps_[place]) {
        if (distance + step.length >= distance_[step.to]) continue;
        distance_[step.to] = distance + step.length;
        next_.push({distance_[step.to], step.to});
      }
    }
  }

  using Entry = std::pair<uint64_t, uint32_t>;
  std::vector<std::vector<Step>> steps_;
  std::vector<uint64_t> distance_;
  uint64_t longest_ = 0;
  std::vector<uint32_t> layer_;
  std::vector<uint32_t> next_layer_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> next_;
};

bool takes_long(uint64_t searches, uint64_t steps) {
  return steps > 0 && searches > kStepsMax / steps;
}

}  // namespace

Rational length_bound(const CutNetwork& network, const std::vector<PipeLengths>& lengths) {
  Roads roads(network.place_count);
  Wide carried = 0;
  const auto add = [&](uint32_t from, uint32_t to, Wide capacity, uint64_t length) {
    if (capacity == 0) return;
    roads.add(from, to, capacity == kFree ? 0 : length);
    if (capacity != kFree) carried += capacity * static_cast<Wide>(length);
  };
  for (size_t i = 0; i < network.pipes.size(); ++i) {
    const Pipe& pipe = network.pipes[i];
    add(pipe.a, pipe.b, pipe.a_to_b, lengths[i].a_to_b);
    add(pipe.b, pipe.a, pipe.b_to_a, lengths[i].b_to_a);
  }
  Wide needed = 0;
  for (const uint32_t from : network.member_places) {
    const std::vector<uint64_t>& distances = roads.distances_from(from);
    for (const uint32_t to : network.member_places) {
      if (distances[to] == kFar) return {0, 1};
      needed +=
          static_cast<Wide>(distances[to]) * network.members_in[from] * network.members_in[to];
    }
  }
  if (needed == 0) return kUnlimited;
  const Rational lowest = ratio(carried, needed);
  return ratio(lowest.numerator * network.member_count * network.unit, lowest.denominator);
}

std::optional<Rational> hop_bound(const CutNetwork& network) {
  if (takes_long(network.member_places.size(), 2 * network.pipes.size())) return std::nullopt;
  return length_bound(network, std::vector<PipeLengths>(network.pipes.size()));
}

std::optional<Latency> Bounds::farthest() const {
  const bool is_known = std::any_of(graph_.links().begin(), graph_.links().end(),
                                    [](const Link& link) { return link.latency_ns > 0; });
  if (!is_known || takes_long(graph_.members().size(), graph_.links().size())) return std::nullopt;
  Roads roads(static_cast<uint32_t>(graph_.nodes().size()));
  for (const Link& link : graph_.links()) {
    if (link.health == Health::down || graph_.node(link.from).health == Health::down ||
        graph_.node(link.to).health == Health::down) {
      continue;
    }
    roads.add(link.from, link.to, link.latency_ns);
  }
  Latency farthest;
  for (const NodeIndex from : graph_.members()) {
    const std::vector<uint64_t>& distances = roads.distances_from(from);
    for (const NodeIndex to : graph_.members()) {
      if (distances[to] != kFar && distances[to] > farthest.ns)
        farthest = {distances[to], from, to};
    }
  }
  return farthest;
}

}  // namespace unirack
