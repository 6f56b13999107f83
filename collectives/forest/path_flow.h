// A maximum flow between two nodes (Dinic 1970) that can be taken apart into paths. Owned and used
// by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace unirack {

class PathFlow {
 public:
  explicit PathFlow(uint32_t node_count) : edges_at_(node_count) {}

  // `name` is told by take_path().
  void add(uint32_t from, uint32_t to, int64_t capacity, uint32_t name);
  // Adds to the flow that is there.
  int64_t raise(uint32_t source, uint32_t target);
  // One unit of the flow from the source to `target`, taken away: the names of its edges in order;
  // empty: nothing arrives there any more.
  std::vector<uint32_t> take_path(uint32_t source, uint32_t target);

 private:
  struct Edge {
    uint32_t to;
    int64_t room;
    uint32_t name;
  };

  bool find_layers(uint32_t source, uint32_t target);
  int64_t push(uint32_t node, uint32_t target, int64_t wanted);

  std::vector<Edge> edges_;  // an edge and its reverse side by side
  std::vector<std::vector<uint32_t>> edges_at_;
  std::vector<uint32_t> layer_;
  std::vector<size_t> cursor_;
};

}  // namespace unirack
