// Maximum flow into one place after another, where most flows need only their neighbourhood.
//
// Places supply what they hold: a share for each member, or without limit once they are settled. A
// flow is searched backwards from where it ends, by layers (Dinic 1970), stops at what is enough,
// and is undone by touching only what it touched. Owned by one bound computation, used by one
// thread. `Amount` is int64_t or Wide; the caller has checked that every capacity times the scale,
// and what is enough, stay below a quarter of its range.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "lib/topology/bound/cut_network.h"

namespace unirack {

template <class Amount>
class LocalFlow {
 public:
  // `reversed`: with every pipe turned round.
  LocalFlow(const CutNetwork& network, bool reversed);

  // Every capacity counts this many times.
  void set_scale(Amount scale) { scale_ = scale; }
  // Gives every pipe that limits the capacity f(capacity in the network).
  template <class Function>
  void set_capacities(const CutNetwork& network, bool reversed, Function&& f);
  // What a place supplies is its members times the share.
  void set_share(Amount share) { share_ = share; }
  void set_members(uint32_t place, uint32_t count) { members_[place] = count; }
  void settle(uint32_t place) { members_[place] = kSettled; }
  // Takes capacity that limits away from an arc that has so much. No flow is under way.
  void take(uint32_t from, uint32_t to, Amount amount);

  // What arrives at `sinks` together, at most `enough`. The flow before has been undone.
  Amount flow_into(std::span<const uint32_t> sinks, Amount enough);
  // After a flow that was less than enough: the places on the sinks' side of a smallest cut.
  const std::vector<uint32_t>& cut_off() const { return queue_; }
  void undo();

 private:
  static constexpr uint32_t kSettled = UINT32_MAX;

  struct Arc {  // listed at the place it enters
    uint32_t from;
    uint32_t opposite;  // the arc between the same places, the other way
    Amount capacity;
    Amount flow;  // less than 0: the opposite carries it
  };

  Amount room(const Arc& arc) const {
    return arc.capacity < 0 ? enough_ : arc.capacity * scale_ - arc.flow;
  }
  Amount supply(uint32_t place) const {
    if (members_[place] == kSettled) return enough_;
    return static_cast<Amount>(members_[place]) * share_ - used_[place];
  }
  bool find_layers(std::span<const uint32_t> sinks);
  Amount pull(uint32_t sink, Amount wanted);
  bool extend(uint32_t place);
  Amount send(uint32_t place, Amount wanted);
  uint32_t retreat(uint32_t place);
  uint32_t entered_by(uint32_t arc) const { return arcs_[arcs_[arc].opposite].from; }

  std::vector<uint32_t> first_;  // by place, and one past the end
  std::vector<Arc> arcs_;
  std::vector<uint32_t> members_;
  std::vector<Amount> used_;
  Amount scale_ = 1;
  Amount share_ = 0;
  Amount enough_ = 0;

  std::vector<uint32_t> layer_;
  std::vector<uint32_t> seen_;    // the search that set layer_
  std::vector<uint32_t> cursor_;  // the next arc to try
  uint32_t search_ = 0;
  uint32_t supply_layer_ = 0;
  std::vector<uint32_t> queue_;
  std::vector<uint32_t> path_;  // arcs, from the sink on
  std::vector<uint32_t> touched_arcs_;
  std::vector<uint32_t> touched_places_;
};

template <class Amount>
LocalFlow<Amount>::LocalFlow(const CutNetwork& network, bool reversed)
    : first_(network.place_count + 1, 0),
      arcs_(2 * network.pipes.size()),
      members_(network.members_in),
      used_(network.place_count, 0),
      layer_(network.place_count, 0),
      seen_(network.place_count, 0),
      cursor_(network.place_count, 0) {
  for (const Pipe& pipe : network.pipes) {
    ++first_[pipe.a + 1];
    ++first_[pipe.b + 1];
  }
  for (size_t i = 0; i + 1 < first_.size(); ++i) first_[i + 1] += first_[i];
  std::vector<uint32_t> next(first_.begin(), first_.end() - 1);
  for (const Pipe& pipe : network.pipes) {
    const uint32_t into_a = next[pipe.a]++;
    const uint32_t into_b = next[pipe.b]++;
    arcs_[into_a] = {pipe.b, into_b, 0, 0};
    arcs_[into_b] = {pipe.a, into_a, 0, 0};
  }
  set_capacities(network, reversed, [](Wide capacity) { return capacity; });
}

template <class Amount>
template <class Function>
void LocalFlow<Amount>::set_capacities(const CutNetwork& network, bool reversed, Function&& f) {
  std::vector<uint32_t> next(first_.begin(), first_.end() - 1);
  const auto set = [&](Arc& arc, Wide capacity) {
    arc.capacity = static_cast<Amount>(capacity == kFree ? capacity : f(capacity));
  };
  for (const Pipe& pipe : network.pipes) {
    set(arcs_[next[pipe.a]++], reversed ? pipe.a_to_b : pipe.b_to_a);
    set(arcs_[next[pipe.b]++], reversed ? pipe.b_to_a : pipe.a_to_b);
  }
}

template <class Amount>
void LocalFlow<Amount>::take(uint32_t from, uint32_t to, Amount amount) {
  // Pipes ascend by their ends, so the arcs that enter a place ascend by where they come from.
  const auto arc =
      std::lower_bound(arcs_.begin() + first_[to], arcs_.begin() + first_[to + 1], from,
                       [](const Arc& each, uint32_t at) { return each.from < at; });
  if (arc->capacity >= 0) arc->capacity -= amount;
}

template <class Amount>
Amount LocalFlow<Amount>::flow_into(std::span<const uint32_t> sinks, Amount enough) {
  enough_ = enough;
  Amount flow = 0;
  while (flow < enough && find_layers(sinks)) {
    for (const uint32_t sink : sinks) flow += pull(sink, enough - flow);
  }
  return flow;
}

// False: nothing with a supply is left upstream, and the queue holds all that is.
template <class Amount>
bool LocalFlow<Amount>::find_layers(std::span<const uint32_t> sinks) {
  if (++search_ == 0) {
    std::fill(seen_.begin(), seen_.end(), 0);
    search_ = 1;
  }
  queue_.clear();
  const auto see = [&](uint32_t place, uint32_t layer) {
    seen_[place] = search_;
    layer_[place] = layer;
    cursor_[place] = first_[place];
    queue_.push_back(place);
  };
  for (const uint32_t sink : sinks) see(sink, 0);
  supply_layer_ = UINT32_MAX;
  for (size_t head = 0; head < queue_.size(); ++head) {
    const uint32_t place = queue_[head];
    if (layer_[place] > supply_layer_) break;
    if (supply(place) > 0) supply_layer_ = layer_[place];
    if (layer_[place] == supply_layer_) continue;
    for (uint32_t i = first_[place]; i < first_[place + 1]; ++i) {
      if (seen_[arcs_[i].from] != search_ && room(arcs_[i]) > 0) {
        see(arcs_[i].from, layer_[place] + 1);
      }
    }
  }
  return supply_layer_ != UINT32_MAX;
}

// Adds to the path an arc that enters `place` from the layer behind it.
template <class Amount>
bool LocalFlow<Amount>::extend(uint32_t place) {
  for (uint32_t& i = cursor_[place]; i < first_[place + 1]; ++i) {
    const Arc& arc = arcs_[i];
    if (seen_[arc.from] == search_ && layer_[arc.from] == layer_[place] + 1 && room(arc) > 0) {
      path_.push_back(i);
      return true;
    }
  }
  return false;
}

// Sends up to `wanted` from the path's end to its sink.
template <class Amount>
Amount LocalFlow<Amount>::send(uint32_t place, Amount wanted) {
  Amount amount = std::min(wanted, supply(place));
  for (const uint32_t index : path_) amount = std::min(amount, room(arcs_[index]));
  touched_places_.push_back(place);
  used_[place] += amount;
  for (const uint32_t index : path_) {
    Arc& arc = arcs_[index];
    if (arc.flow == 0) touched_arcs_.push_back(index);
    arc.flow += amount;
    arcs_[arc.opposite].flow -= amount;
  }
  return amount;
}

// Cuts the path before its first full arc; returns where it ends now.
template <class Amount>
uint32_t LocalFlow<Amount>::retreat(uint32_t place) {
  const auto full = std::find_if(path_.begin(), path_.end(),
                                 [&](uint32_t index) { return room(arcs_[index]) <= 0; });
  if (full == path_.end()) return place;
  place = entered_by(*full);
  path_.erase(full, path_.end());
  return place;
}

// A blocking flow into `sink` over the layers.
template <class Amount>
Amount LocalFlow<Amount>::pull(uint32_t sink, Amount wanted) {
  Amount pulled = 0;
  path_.clear();
  uint32_t place = sink;
  while (pulled < wanted) {
    if (layer_[place] == supply_layer_) {
      if (supply(place) > 0) {
        pulled += send(place, wanted - pulled);
        place = retreat(place);
        continue;
      }
    } else if (extend(place)) {
      place = arcs_[path_.back()].from;
      continue;
    }
    if (path_.empty()) break;
    place = entered_by(path_.back());
    path_.pop_back();
    ++cursor_[place];
  }
  return pulled;
}

template <class Amount>
void LocalFlow<Amount>::undo() {
  for (const uint32_t index : touched_arcs_) {
    arcs_[index].flow = 0;
    arcs_[arcs_[index].opposite].flow = 0;
  }
  for (const uint32_t place : touched_places_) used_[place] = 0;
  touched_arcs_.clear();
  touched_places_.clear();
}

}  // namespace unirack
