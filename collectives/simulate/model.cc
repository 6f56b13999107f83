#include "collectives/simulate/model.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "collectives/simulate/limits.h"

namespace unirack {

namespace {

// A lane and one peer, in one direction.
struct Way {
  uint32_t source = 0;  // classes
  uint32_t target = 0;
  LinkCosts costs;
  uint32_t channel = 0;
  std::vector<ResourceUse> shares;  // by class of resources, ascending
  uint32_t single = kNoIndex;       // the model's, of one such flow a rank
};

// Flows of a reduction that are alike.
struct ReadGroup {
  const Way* way = nullptr;
  uint64_t bytes = 0;
  uint32_t count = 0;

  bool is_like(const Way& other, uint64_t other_bytes) const {
    return bytes == other_bytes && way->costs == other.costs && way->shares == other.shares;
  }
};

constexpr uint64_t in_ticks(uint64_t ps) { return ps * kTicksPerPs; }

class ModelBuilder {
 public:
  ModelBuilder(const PlanFacts& facts, const RankClasses& classes)
      : facts_(facts), classes_(classes) {}

  Result<Model> build() {
    model_.tiles = facts_.tiles();
    model_.engine_count = static_cast<uint32_t>(classes_.lowest.size());
    for (const uint32_t first : classes_.first_resource) {
      model_.resource_of.push_back(first);
      model_.bandwidths.push_back(facts_.bandwidths()[first]);
    }
    carried_.assign(model_.bandwidths.size(), 0);
    for (const Rank rank : classes_.lowest) {
      for (uint32_t lane = 0; lane < facts_.lane_count(); ++lane) {
        first_signal_.push_back(model_.signal_count);
        model_.signal_count += static_cast<uint32_t>(facts_.signals(rank, lane).size());
      }
    }
    for (uint32_t index = 0; index < classes_.lowest.size(); ++index) {
      for (uint32_t lane = 0; lane < facts_.lane_count(); ++lane) {
        UNIRACK_TRY(add_thread(index, lane));
      }
    }
    for (const WideUnsigned carried : carried_) {
      model_.bytes.push_back(static_cast<uint64_t>(carried * model_.tiles / kWholeShare));
    }
    find_limits(model_);
    return std::move(model_);
  }

 private:
  Status add_thread(uint32_t index, uint32_t lane) {
    rank_ = classes_.lowest[index];
    lane_ = lane;
    class_ = index;
    ways_.clear();
    ModelThread thread{rank_, lane,
                       index, static_cast<uint32_t>(model_.steps.size()),
                       0,     in_ticks(facts_.start_ps(rank_))};
    const Program& program = facts_.schedule().program_view(rank_);
    if (lane < program.lanes.size()) {
      uint32_t signals = first_signal_[index * facts_.lane_count() + lane];
      const auto& steps = program.lanes[lane].steps;
      for (uint32_t i = 0; i < steps.size(); ++i) {
        ModelStep step;
        step.step = i;
        // Waits that follow each other are one step.
        const bool goes_on =
            steps[i].op == Op::wait && i + 1 < steps.size() && steps[i + 1].op == Op::wait;
        step.busy_ticks = goes_on ? 0 : facts_.network().costs().step_ps;
        UNIRACK_TRY(fill(program, steps[i], i > 0 ? &steps[i - 1] : nullptr, step));
        if (step.op == ModelOp::signal) step.signal = signals++;
        step.busy_ticks = in_ticks(facts_.slowed(rank_, step.busy_ticks));
        model_.steps.push_back(step);
      }
    }
    thread.step_count = static_cast<uint32_t>(model_.steps.size()) - thread.first_step;
    model_.threads.push_back(thread);
    return ok_status();
  }

  Status fill(const Program& program, const Step& from, const Step* before, ModelStep& to) {
    switch (from.op) {
      case Op::wait:
        return fill_wait(from, to);
      case Op::signal:
        return fill_signal(from, before, to);
      case Op::reduce:
        return fill_reduce(program, from, to);
      case Op::copy:
        return fill_copy(program, from, to);
    }
    return ok_status();
  }

  Status fill_wait(const Step& from, ModelStep& to) {
    to.waits_for_gets = true;
    if (from.value.v == 0) {
      const Way& way = *UNIRACK_TRY(find_way(from.peer, rank_));
      to.op = ModelOp::record;
      to.time_ticks = in_ticks(facts_.start_ps(from.peer) + way.costs.latency_ps);
      return ok_status();
    }
    const auto awaited = UNIRACK_TRY(facts_.find_signal(rank_, from));
    const uint32_t peer_class = classes_.class_of[static_cast<size_t>(from.peer)];
    to.op = ModelOp::wait;
    to.signal = first_signal_[peer_class * facts_.lane_count() + from.peer_lane] + awaited.index;
    to.tiles_ahead = awaited.tiles_ahead;
    to.tiles_back = from.value.tiles_back;
    model_.tiles_back_max = std::max(model_.tiles_back_max, to.tiles_back);
    return ok_status();
  }

  // Behind a put to the same peer it travels in the same message.
  Status fill_signal(const Step& from, const Step* before, ModelStep& to) {
    const Way& way = *UNIRACK_TRY(find_way(rank_, from.peer));
    to.op = ModelOp::signal;
    to.waits_for_gets = true;
    to.channel = way.channel;
    to.time_ticks = in_ticks(way.costs.latency_ps);
    const bool rides = before != nullptr && before->op == Op::copy &&
                       before->target.rank == from.peer && from.peer != rank_;
    if (!rides) to.busy_ticks += way.costs.gap_ps;
    return ok_status();
  }

  Status fill_reduce(const Program& program, const Step& from, ModelStep& to) {
    to.op = ModelOp::work;
    to.waits_for_gets = true;
    to.waits_for_puts = true;
    to.work_ticks = in_ticks(facts_.work_ps(rank_, program, from));
    std::vector<ReadGroup> groups;
    for (uint32_t i = 0; i < from.sources.count; ++i) {
      const Slice& source = program.sources[from.sources.first + i];
      if (source.rank == rank_) continue;
      const Form form =
          source.buffer == BufferId::scratch ? program.scratch[source.block].form : Form::user;
      const Way& way = *UNIRACK_TRY(find_way(source.rank, rank_));
      const uint64_t bytes = facts_.run_bytes(from.end - from.begin, form);
      auto group = std::find_if(groups.begin(), groups.end(),
                                [&](const ReadGroup& each) { return each.is_like(way, bytes); });
      if (group == groups.end()) group = groups.insert(group, {&way, bytes, 0});
      ++group->count;
    }
    to.first_flow = static_cast<uint32_t>(model_.flows.size());
    for (const ReadGroup& group : groups) {
      const uint32_t way = UNIRACK_TRY(add_way(*group.way, group.count));
      add_flow(*group.way, way, group.bytes, group.way->costs.latency_ps);
    }
    to.flow_count = static_cast<uint32_t>(model_.flows.size()) - to.first_flow;
    return ok_status();
  }

  Status fill_copy(const Program& program, const Step& from, ModelStep& to) {
    const bool puts = is_put(rank_, from);
    const bool gets = !puts && is_get(rank_, program, from);
    to.waits_for_puts = !puts;
    if (!puts && !gets) {
      to.op = ModelOp::work;
      to.work_ticks = in_ticks(facts_.work_ps(rank_, program, from));
      return ok_status();
    }
    to.op = puts ? ModelOp::put : ModelOp::get;
    Way& way = *UNIRACK_TRY(puts ? find_way(rank_, from.target.rank)
                                 : find_way(program.sources[from.sources.first].rank, rank_));
    if (way.single == kNoIndex) way.single = UNIRACK_TRY(add_way(way, 1));
    to.busy_ticks += way.costs.gap_ps;
    to.holds_lane = puts && way.costs.holds_lane;
    to.channel = way.channel;
    to.first_flow = static_cast<uint32_t>(model_.flows.size());
    add_flow(way, way.single, facts_.copy_bytes(program, from), puts ? 0 : way.costs.latency_ps);
    to.flow_count = static_cast<uint32_t>(model_.flows.size()) - to.first_flow;
    return ok_status();
  }

  // Nothing to carry is no flow.
  void add_flow(const Way& way, uint32_t model_way, uint64_t bytes, uint64_t request_ps) {
    if (bytes == 0) return;
    model_.flows.push_back(
        {bytes, in_ticks(request_ps), in_ticks(way.costs.latency_ps), model_way});
    const ModelWay& over = model_.ways[model_way];
    for (uint32_t i = 0; i < over.use_count; ++i) {
      const FlowUse& use = model_.uses[over.first_use + i];
      carried_[use.resource] += WideUnsigned{bytes} * use.load;
    }
  }

  Result<Way*> find_way(Rank from, Rank to) {
    const uint64_t key =
        from == rank_ ? static_cast<uint64_t>(to) * 2 : static_cast<uint64_t>(from) * 2 + 1;
    const auto [at, is_new] = ways_.try_emplace(key);
    Way& way = at->second;
    if (!is_new) return &way;
    used_.clear();
    way.costs = UNIRACK_TRY(facts_.route(from, to, lane_, used_)).costs;
    way.channel = model_.channel_count++;
    way.source = classes_.class_of[static_cast<size_t>(from)];
    way.target = classes_.class_of[static_cast<size_t>(to)];
    for (ResourceUse& use : used_) use.resource = classes_.resource_class_of[use.resource];
    std::sort(used_.begin(), used_.end(),
              [](const ResourceUse& a, const ResourceUse& b) { return a.resource < b.resource; });
    for (const ResourceUse& use : used_) {
      if (way.shares.empty() || way.shares.back().resource != use.resource) {
        way.shares.push_back({use.resource, 0});
      }
      way.shares.back().share += use.share;
    }
    return &way;
  }

  // What each resource of a class carries where every rank of this class has `flows` such flows.
  Result<uint32_t> add_way(const Way& way, uint64_t flows) {
    ModelWay made{way.source, way.target, static_cast<uint32_t>(model_.uses.size()),
                  static_cast<uint32_t>(way.shares.size())};
    made.limit_count = made.use_count;
    for (const ResourceUse& use : way.shares) {
      const uint64_t all = flows * use.share * classes_.sizes[class_];
      const uint32_t count = classes_.resource_counts[use.resource];
      if (all % count != 0 && !classes_.is_rough) {
        return make_error(Code::internal, "resources that look alike carry different loads");
      }
      model_.uses.push_back({use.resource, (all + count - 1) / count});
    }
    model_.ways.push_back(made);
    return static_cast<uint32_t>(model_.ways.size() - 1);
  }

  const PlanFacts& facts_;
  const RankClasses& classes_;
  Model model_;
  std::vector<uint32_t> first_signal_;  // by class and lane
  std::vector<WideUnsigned> carried_;   // by class of resources, in a tile
  // Of the thread at hand.
  Rank rank_ = 0;
  uint32_t lane_ = 0;
  uint32_t class_ = 0;
  std::unordered_map<uint64_t, Way> ways_;
  std::vector<ResourceUse> used_;
};

}  // namespace

Result<Model> make_model(const PlanFacts& facts, const RankClasses& classes) {
  return ModelBuilder(facts, classes).build();
}

}  // namespace unirack
