// What a piece of memory holds, symbolically: hash-consed sums of contributions. Used by verify().
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

using SymbolId = uint32_t;
inline constexpr SymbolId kNothing = 0;  // memory that nobody has written

enum class SymbolKind : uint8_t {
  nothing,
  raw,      // a contribution as the caller gave it
  partial,  // an unfinished sum in the accumulator
  done,     // a finished sum in the caller's type
};

// A floating sum of two is the same in either order, so operands are kept sorted: equal ids mean
// equal bits.
class SymbolTable {
 public:
  SymbolTable() { nodes_.push_back({}); }

  SymbolId contribution(Rank rank, uint32_t part, uint64_t tile) {
    return intern({SymbolKind::raw, static_cast<uint64_t>(rank) << 32 | part, tile});
  }
  // The accumulator value of a raw contribution or partial sum.
  SymbolId as_partial(SymbolId id) {
    return kind(id) == SymbolKind::raw ? intern({SymbolKind::partial, id, 0}) : id;
  }
  SymbolId finish(SymbolId partial) { return intern({SymbolKind::done, partial, 0}); }

  // The tree S over partial values in listed order.
  SymbolId sum(std::span<const SymbolId> terms) {
    if (terms.size() == 1) return terms[0];
    size_t left = 1;
    while (left * 2 < terms.size()) left *= 2;
    const SymbolId a = sum(terms.first(left));
    const SymbolId b = sum(terms.subspan(left));
    return intern({SymbolKind::partial, std::min(a, b), std::max(a, b)});
  }

  SymbolKind kind(SymbolId id) const { return nodes_[id].kind; }

  // The raw contributions under `id`, sorted; a contribution counted twice stands twice.
  std::vector<SymbolId> leaves(SymbolId id) const {
    std::vector<SymbolId> found;
    std::vector<SymbolId> open = {id};
    while (!open.empty()) {
      const SymbolId at = open.back();
      open.pop_back();
      const Node& node = nodes_[at];
      if (node.kind == SymbolKind::raw) {
        found.push_back(at);
      } else if (node.kind != SymbolKind::nothing) {
        open.push_back(static_cast<SymbolId>(node.a));
        if (node.b != 0) open.push_back(static_cast<SymbolId>(node.b));
      }
      if (found.size() > kLeavesMax) break;  // doubled sums grow without end
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  static constexpr size_t kLeavesMax = 1 << 20;

  struct Node {
    SymbolKind kind = SymbolKind::nothing;
    uint64_t a = 0;
    uint64_t b = 0;
    friend auto operator<=>(const Node&, const Node&) = default;
  };

  SymbolId intern(const Node& node) {
    const auto [at, is_new] = ids_.try_emplace(node, static_cast<SymbolId>(nodes_.size()));
    if (is_new) nodes_.push_back(node);
    return at->second;
  }

  std::vector<Node> nodes_;
  std::map<Node, SymbolId> ids_;
};

}  // namespace unirack
