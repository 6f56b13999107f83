#include "collectives/forest/path_flow.h"

#include <algorithm>

namespace unirack {

void PathFlow::add(uint32_t from, uint32_t to, int64_t capacity, uint32_t name) {
  edges_at_[from].push_back(static_cast<uint32_t>(edges_.size()));
  edges_.push_back({to, capacity, name});
  edges_at_[to].push_back(static_cast<uint32_t>(edges_.size()));
  edges_.push_back({from, 0, name});
}

bool PathFlow::find_layers(uint32_t source, uint32_t target) {
  layer_.assign(edges_at_.size(), UINT32_MAX);
  cursor_.assign(edges_at_.size(), 0);
  layer_[source] = 0;
  std::vector<uint32_t> queue = {source};
  for (size_t head = 0; head < queue.size(); ++head) {
    for (const uint32_t index : edges_at_[queue[head]]) {
      const Edge& edge = edges_[index];
      if (edge.room <= 0 || layer_[edge.to] != UINT32_MAX) continue;
      layer_[edge.to] = layer_[queue[head]] + 1;
      queue.push_back(edge.to);
    }
  }
  return layer_[target] != UINT32_MAX;
}

// As deep as the layers, which are few: fabrics are.
int64_t PathFlow::push(uint32_t node, uint32_t target, int64_t wanted) {
  if (node == target) return wanted;
  int64_t pushed = 0;
  for (size_t& i = cursor_[node]; i < edges_at_[node].size(); ++i) {
    const uint32_t index = edges_at_[node][i];
    const uint32_t to = edges_[index].to;
    if (edges_[index].room <= 0 || layer_[to] != layer_[node] + 1) continue;
    const int64_t amount = push(to, target, std::min(wanted - pushed, edges_[index].room));
    edges_[index].room -= amount;
    edges_[index ^ 1].room += amount;
    pushed += amount;
    if (pushed == wanted) break;
  }
  return pushed;
}

int64_t PathFlow::raise(uint32_t source, uint32_t target) {
  int64_t raised = 0;
  while (find_layers(source, target)) raised += push(source, target, INT64_MAX);
  return raised;
}

std::vector<uint32_t> PathFlow::take_path(uint32_t source, uint32_t target) {
  std::vector<uint32_t> names;
  for (uint32_t node = target; node != source;) {
    const auto& edges = edges_at_[node];
    // The reverse of an edge that enters has as much room as flows through it.
    const auto used = std::find_if(edges.begin(), edges.end(), [&](uint32_t index) {
      return index % 2 == 1 && edges_[index].room > 0;
    });
    if (used == edges.end()) return {};
    --edges_[*used].room;
    ++edges_[*used ^ 1].room;
    names.push_back(edges_[*used].name);
    node = edges_[*used].to;
  }
  std::reverse(names.begin(), names.end());
  return names;
}

}  // namespace unirack
