#include "collectives/simulate/rank_classes.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace unirack {

namespace {

// Colours are 64-bit fingerprints; sums of them do not depend on the order.
uint64_t blend(uint64_t a, uint64_t b) {
  uint64_t mixed = (a + 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull ^ b;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
  return mixed ^ (mixed >> 31);
}

// How a step depends on its peer.
enum class RelationKind : uint8_t { sends, fetches, awaits };

// All that a lane does with one peer in one way.
struct Relation {
  Rank peer = 0;
  RelationKind kind = RelationKind::sends;
  uint32_t lane = 0;
  uint32_t first_use = 0;
  uint32_t use_count = 0;
  uint64_t salt = 0;  // which steps, and how much they move
};

class Refinement {
 public:
  explicit Refinement(const PlanFacts& facts)
      : facts_(facts),
        slots_(static_cast<size_t>(facts.rank_count()) * facts.lane_count() * 3, kUnused) {}

  Result<RankClasses> run(uint32_t classes_max) {
    UNIRACK_TRY(read_all());
    const std::vector<uint64_t> shapes = rank_colours_;
    uint32_t before = 0;
    while (true) {
      const uint32_t ranks = renumber(rank_colours_);
      if (ranks > classes_max) {
        RankClasses rough = find_roughly(shapes);
        if (rough.lowest.size() * kRoughGain <= shapes.size()) return rough;
        classes_max = UINT32_MAX;
      }
      const uint32_t now = ranks + renumber(resource_colours_);
      if (now == before) break;
      before = now;
      refine(rank_colours_);
    }
    return classes();
  }

 private:
  static constexpr uint32_t kUnused = UINT32_MAX;
  // Of rough classes there have to be so many times fewer than ranks.
  static constexpr size_t kRoughGain = 4;

  // Resources by what they carry, then ranks by the resources they use, and no further.
  RankClasses find_roughly(const std::vector<uint64_t>& shapes) {
    const std::vector<uint64_t> anyone(shapes.size(), 0);
    std::vector<uint64_t> ranks = shapes;
    std::vector<uint64_t> resources = facts_.bandwidths();
    const auto exchange = [&] {
      std::swap(ranks, rank_colours_);
      std::swap(resources, resource_colours_);
    };
    exchange();
    refine(anyone);
    const std::vector<uint64_t> carried = resource_colours_;
    refine(anyone);
    resource_colours_ = carried;
    renumber(rank_colours_);
    renumber(resource_colours_);
    RankClasses found = classes();
    found.is_rough = true;
    exchange();
    return found;
  }

  Status read_all() {
    for (Rank rank = 0; rank < facts_.rank_count(); ++rank) UNIRACK_TRY(read(rank));
    first_relation_.push_back(static_cast<uint32_t>(relations_.size()));
    resource_colours_ = facts_.bandwidths();
    return ok_status();
  }

  // The shape of a rank's program, and its relations.
  Status read(Rank rank) {
    const Program& program = facts_.schedule().program_view(rank);
    first_relation_.push_back(static_cast<uint32_t>(relations_.size()));
    uint64_t colour = blend(facts_.start_ps(rank), facts_.percent(rank));
    for (uint32_t lane = 0; lane < program.lanes.size(); ++lane) {
      const auto& steps = program.lanes[lane].steps;
      colour = blend(colour, steps.size());
      for (size_t i = 0, run = 0; i < steps.size(); ++i) {
        const bool is_wait = steps[i].op == Op::wait;
        if (!is_wait || i == 0 || steps[i - 1].op != Op::wait) run = i;
        const uint64_t place = uint64_t{lane} << 32 | run;
        const uint64_t shape = UNIRACK_TRY(read_step(rank, program, steps[i], lane, place));
        // Waits that follow each other are passed together, in whatever order.
        colour = is_wait ? colour + blend(shape, place) : blend(colour, shape);
      }
    }
    rank_colours_.push_back(colour);
    for (size_t i = first_relation_.back(); i < relations_.size(); ++i) {
      UNIRACK_TRY(finish(rank, relations_[i]));
    }
    return ok_status();
  }

  Result<uint64_t> read_step(Rank rank, const Program& program, const Step& step, uint32_t lane,
                             uint64_t place) {
    const auto kind = static_cast<uint64_t>(step.op);
    if (step.op == Op::signal) {
      relate(rank, step.peer, lane, RelationKind::sends, blend(place, kind));
      return kind;
    }
    if (step.op == Op::wait) return read_wait(rank, step, lane, place);
    // Sizes do not matter, only how many parts in which form.
    const uint64_t parts = uint64_t{step.end - step.begin} << 8;
    uint64_t shape = blend(kind, parts | form_of(program, step.target));
    if (is_put(rank, step)) {
      relate(rank, step.target.rank, lane, RelationKind::sends, blend(place, kind));
      return blend(shape, 1);
    }
    for (uint32_t i = 0; i < step.sources.count; ++i) {
      const Slice& source = program.sources[step.sources.first + i];
      const bool is_own = source.rank == rank;
      const uint64_t what = parts | form_of(program, source) | (is_own ? 2 : 0);
      shape += blend(what, kind);
      if (is_own) continue;
      relate(rank, source.rank, lane, RelationKind::fetches, blend(place, what));
    }
    return shape;
  }

  static uint64_t form_of(const Program& program, const Slice& slice) {
    const bool is_partial =
        slice.buffer == BufferId::scratch && program.scratch[slice.block].form == Form::partial;
    return is_partial ? 1 : 0;
  }

  Result<uint64_t> read_wait(Rank rank, const Step& step, uint32_t lane, uint64_t place) {
    if (step.value.v == 0) {
      relate(rank, step.peer, lane, RelationKind::fetches, blend(place, 0x77));
      return uint64_t{0x77};
    }
    const auto awaited = UNIRACK_TRY(facts_.find_signal(rank, step));
    const uint64_t what =
        uint64_t{awaited.index} << 16 | uint64_t{awaited.tiles_ahead} << 8 | step.peer_lane;
    relate(rank, step.peer, lane, RelationKind::awaits, blend(place, what));
    return blend(what, uint64_t{step.value.tiles_back} << 8 | static_cast<uint64_t>(step.op));
  }

  void relate(Rank rank, Rank peer, uint32_t lane, RelationKind kind, uint64_t salt) {
    const size_t at =
        (static_cast<size_t>(peer) * facts_.lane_count() + lane) * 3 + static_cast<size_t>(kind);
    const uint32_t first = first_relation_[static_cast<size_t>(rank)];
    if (slots_[at] == kUnused || slots_[at] < first) {
      slots_[at] = static_cast<uint32_t>(relations_.size());
      relations_.push_back({peer, kind, lane, 0, 0, 0});
    }
    relations_[slots_[at]].salt += salt;
  }

  Status finish(Rank rank, Relation& relation) {
    relation.salt = blend(relation.salt, static_cast<uint64_t>(relation.kind));
    if (relation.kind == RelationKind::awaits) return ok_status();
    const bool sends = relation.kind == RelationKind::sends;
    const RouteFact route =
        UNIRACK_TRY(sends ? facts_.route(rank, relation.peer, relation.lane, uses_)
                          : facts_.route(relation.peer, rank, relation.lane, uses_));
    relation.first_use = route.first_use;
    relation.use_count = route.use_count;
    relation.salt = blend(relation.salt, route.costs.latency_ps);
    relation.salt =
        blend(relation.salt, route.costs.gap_ps << 1 | (route.costs.holds_lane ? 1 : 0));
    if (!sends) relation.salt = blend(relation.salt, facts_.start_ps(relation.peer));
    return ok_status();
  }

  void refine(const std::vector<uint64_t>& peer_colours) {
    std::vector<uint64_t> ranks(rank_colours_.size());
    std::vector<uint64_t> resources(resource_colours_.size(), 0);
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      uint64_t seen = 0;
      for (uint32_t i = first_relation_[rank]; i < first_relation_[rank + 1]; ++i) {
        const Relation& relation = relations_[i];
        uint64_t way = 0;
        for (uint32_t use = 0; use < relation.use_count; ++use) {
          const ResourceUse& at = uses_[relation.first_use + use];
          way += blend(resource_colours_[at.resource], at.share);
        }
        const uint64_t peer = peer_colours[static_cast<size_t>(relation.peer)];
        const uint64_t colour = blend(blend(relation.salt, peer), way);
        seen += colour;
        const uint64_t flow = blend(colour, rank_colours_[rank]);
        for (uint32_t use = 0; use < relation.use_count; ++use) {
          const ResourceUse& at = uses_[relation.first_use + use];
          resources[at.resource] += blend(flow, at.share);
        }
      }
      ranks[rank] = blend(rank_colours_[rank], seen);
    }
    for (size_t i = 0; i < resources.size(); ++i) {
      resources[i] = blend(resource_colours_[i], resources[i]);
    }
    rank_colours_ = std::move(ranks);
    resource_colours_ = std::move(resources);
  }

  // Colours become numbers by first occurrence; how many there are.
  static uint32_t renumber(std::vector<uint64_t>& colours) {
    std::unordered_map<uint64_t, uint64_t> numbers;
    for (uint64_t& colour : colours) {
      colour = numbers.try_emplace(colour, numbers.size()).first->second;
    }
    return static_cast<uint32_t>(numbers.size());
  }

  RankClasses classes() const {
    RankClasses classes;
    for (size_t rank = 0; rank < rank_colours_.size(); ++rank) {
      const auto colour = static_cast<uint32_t>(rank_colours_[rank]);
      classes.class_of.push_back(colour);
      if (colour == classes.lowest.size()) {
        classes.lowest.push_back(static_cast<Rank>(rank));
        classes.sizes.push_back(0);
      }
      ++classes.sizes[colour];
    }
    for (size_t i = 0; i < resource_colours_.size(); ++i) {
      const auto colour = static_cast<uint32_t>(resource_colours_[i]);
      classes.resource_class_of.push_back(colour);
      if (colour == classes.first_resource.size()) {
        classes.first_resource.push_back(static_cast<uint32_t>(i));
        classes.resource_counts.push_back(0);
      }
      ++classes.resource_counts[colour];
    }
    return classes;
  }

  const PlanFacts& facts_;
  std::vector<uint32_t> slots_;  // by peer, lane and kind: the latest relation
  std::vector<Relation> relations_;
  std::vector<uint32_t> first_relation_;  // by rank, and one past the end
  std::vector<ResourceUse> uses_;
  std::vector<uint64_t> rank_colours_;
  std::vector<uint64_t> resource_colours_;
};

}  // namespace

RankClasses separate_classes(const PlanFacts& facts) {
  RankClasses classes;
  classes.class_of.resize(static_cast<size_t>(facts.rank_count()));
  std::iota(classes.class_of.begin(), classes.class_of.end(), 0u);
  classes.lowest.resize(classes.class_of.size());
  std::iota(classes.lowest.begin(), classes.lowest.end(), 0);
  classes.sizes.assign(classes.class_of.size(), 1);
  classes.resource_class_of.resize(facts.bandwidths().size());
  std::iota(classes.resource_class_of.begin(), classes.resource_class_of.end(), 0u);
  classes.first_resource = classes.resource_class_of;
  classes.resource_counts.assign(classes.first_resource.size(), 1);
  return classes;
}

Result<RankClasses> find_rank_classes(const PlanFacts& facts, uint32_t classes_max) {
  return Refinement(facts).run(classes_max);
}

}  // namespace unirack
