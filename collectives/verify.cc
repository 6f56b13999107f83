#include "collectives/verify.h"

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "collectives/happens_before.h"
#include "collectives/symbol.h"
#include "collectives/well_formed.h"

namespace unirack {

namespace {

using std::to_string;

struct SignalEvent {
  uint64_t value = 0;
  uint32_t step = 0;
  const VectorClock* clock = nullptr;
};

struct Thread {
  Rank rank = 0;
  const std::vector<Step>* steps = nullptr;
  uint64_t tile = 0;
  size_t next = 0;
  uint32_t issued = 0;
  VectorClock clock;
};

// One symbolic execution: a number of tiles, in place or not.
class Run {
 public:
  Run(const Schedule& schedule, uint64_t tiles, bool in_place)
      : schedule_(schedule),
        layout_(schedule.layout()),
        ranks_(static_cast<uint32_t>(schedule.header().rank_count)),
        lanes_(static_cast<uint32_t>(schedule.program_view(0).lanes.size())),
        tiles_(tiles),
        in_place_(in_place) {}

  Status check() {
    begin();
    UNIRACK_TRY(execute());
    // A race explains wrong outputs, not the other way round.
    UNIRACK_TRY(check_accesses());
    return check_outputs();
  }

 private:
  void begin() {
    for (uint32_t i = 0; i < ranks_ * lanes_; ++i) {
      Thread thread;
      thread.rank = static_cast<Rank>(i / lanes_);
      thread.steps = &schedule_.program_view(thread.rank).lanes[i % lanes_].steps;
      thread.clock.steps.resize(ranks_ * lanes_, 0);
      thread.clock.delivered.resize(ranks_ * lanes_ * ranks_, 0);
      thread.clock.entered.resize(ranks_, false);
      thread.clock.entered[i / lanes_] = true;
      threads_.push_back(std::move(thread));
    }
    signals_.resize(ranks_ * lanes_ * ranks_);
    for (Rank rank = 0; rank < static_cast<Rank>(ranks_); ++rank) fill_inputs(rank);
  }

  void fill_inputs(Rank rank) {
    const uint32_t chunks = schedule_.header().chunks;
    for (uint32_t block = 0; block < layout_.blocks(rank, BufferId::input); ++block) {
      const uint32_t data = layout_.data_block(rank, BufferId::input, block);
      for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
        for (uint64_t tile = 0; tile < tiles_; ++tile) {
          const Cell cell = aliased({rank, BufferId::input, block, chunk, tile});
          memory_[cell].holds = symbols_.contribution(rank, data * chunks + chunk, tile);
        }
      }
    }
  }

  Status execute() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (uint32_t t = 0; t < threads_.size(); ++t) {
        while (UNIRACK_TRY(advance(t))) moved = true;
      }
    }
    for (uint32_t t = 0; t < threads_.size(); ++t) {
      if (threads_[t].tile < tiles_ && !threads_[t].steps->empty()) {
        return wrong(t, "waits for ever: rank " + to_string(current(t).peer) + " lane " +
                            to_string(current(t).peer_lane) + " never signals " +
                            to_string(current(t).value.v));
      }
    }
    return ok_status();
  }

  const Step& current(uint32_t t) const { return (*threads_[t].steps)[threads_[t].next]; }

  // Executes the next step of a thread; false: it is done or has to wait.
  Result<bool> advance(uint32_t t) {
    Thread& thread = threads_[t];
    if (thread.tile == tiles_ || thread.steps->empty()) return false;
    const Step& step = current(t);
    if (step.op == Op::wait && !UNIRACK_TRY(passes(t, step))) return false;
    thread.clock.steps[t] = ++thread.issued;
    clocks_.push_back(std::make_unique<VectorClock>(thread.clock));
    if (step.op == Op::signal) {
      UNIRACK_TRY(signal(t, step));
    } else if (step.op != Op::wait) {
      UNIRACK_TRY(move(t, step));
    }
    if (++thread.next == thread.steps->size()) {
      thread.next = 0;
      ++thread.tile;
    }
    return true;
  }

  Result<bool> passes(uint32_t t, const Step& step) {
    Thread& thread = threads_[t];
    const auto peer = static_cast<uint32_t>(step.peer);
    if (step.value.v == 0) {
      thread.clock.entered[peer] = true;
      return true;
    }
    if (step.value.tiles_back > thread.tile) return true;
    const uint64_t value = total(thread.tile - step.value.tiles_back, step.value.v);
    const uint32_t writer = peer * lanes_ + step.peer_lane;
    const auto& events = signals_[writer * ranks_ + static_cast<uint32_t>(thread.rank)];
    const auto event = std::find_if(events.begin(), events.end(),
                                    [&](const SignalEvent& e) { return e.value >= value; });
    if (event == events.end()) return false;
    thread.clock.merge(*event->clock);
    uint32_t& delivered =
        thread.clock.delivered[writer * ranks_ + static_cast<uint32_t>(thread.rank)];
    delivered = std::max(delivered, event->step);
    return true;
  }

  uint64_t total(uint64_t tile, uint32_t v) const {
    return tile * schedule_.program_view(0).values_per_tile + v;
  }

  Status signal(uint32_t t, const Step& step) {
    Thread& thread = threads_[t];
    const uint64_t value = total(thread.tile, step.value.v);
    uint64_t& last = last_value_[t];
    if (value < last) return wrong(t, "signals a value that does not rise");
    last = value;
    auto& events = signals_[t * ranks_ + static_cast<uint32_t>(step.peer)];
    events.push_back({value, thread.issued, clocks_.back().get()});
    return ok_status();
  }

  // copy and reduce: reads the sources, writes the target, part by part.
  Status move(uint32_t t, const Step& step) {
    const Program& program = schedule_.program_view(threads_[t].rank);
    const std::span<const Slice> sources(program.sources.data() + step.sources.first,
                                         step.sources.count);
    UNIRACK_TRY(check_entered(t, step.target));
    for (const Slice& source : sources) UNIRACK_TRY(check_entered(t, source));
    for (uint32_t part = step.begin; part < step.end; ++part) {
      std::vector<SymbolId> terms;
      for (const Slice& source : sources) {
        const Cell cell = locate(t, source, part);
        const SymbolId held = memory_[cell].holds;
        UNIRACK_TRY(check_read(t, step, source, part, held));
        terms.push_back(held);
        touch(t, step, cell, source.rank, false);
      }
      const Cell target = locate(t, step.target, part);
      memory_[target].holds = UNIRACK_TRY(value_of(t, step, terms));
      touch(t, step, target, step.target.rank, true);
    }
    return ok_status();
  }

  Status check_entered(uint32_t t, const Slice& slice) {
    if (slice.buffer == BufferId::scratch) return ok_status();
    if (threads_[t].clock.entered[static_cast<size_t>(slice.rank)]) return ok_status();
    return wrong(t, "touches a buffer of rank " + to_string(slice.rank) +
                        " before that rank is known to have entered the operation");
  }

  Form form_of(const Slice& slice) const {
    return slice.buffer == BufferId::scratch ? schedule_.program_view(0).scratch[slice.block].form
                                             : Form::user;
  }

  Status check_read(uint32_t t, const Step& step, const Slice& source, uint32_t part,
                    SymbolId held) {
    const SymbolKind kind = symbols_.kind(held);
    if (kind == SymbolKind::nothing) {
      return wrong(t, "reads part " + to_string(part) + " of a block of rank " +
                          to_string(source.rank) + " that nobody has written");
    }
    if (step.op == Op::copy && form_of(source) != form_of(step.target)) {
      return wrong(t, "copies between the caller's type and the accumulator");
    }
    if (step.op == Op::reduce && kind == SymbolKind::done) {
      return wrong(t, "reduces a sum that is finished already");
    }
    return ok_status();
  }

  Result<SymbolId> value_of(uint32_t t, const Step& step, std::vector<SymbolId>& terms) {
    if (step.op == Op::copy) return terms[0];
    for (SymbolId& term : terms) term = symbols_.as_partial(term);
    const SymbolId sum = symbols_.sum(terms);
    if (form_of(step.target) == Form::partial) return sum;
    if (step.target.buffer == BufferId::scratch) {
      return wrong(t, "finishes a sum in scratch");
    }
    return symbols_.finish(sum);
  }

  Cell aliased(Cell cell) const {
    if (!in_place_ || cell.buffer != BufferId::input) return cell;
    const auto output = layout_.aliased_output(cell.rank, cell.block);
    if (!output) return cell;
    cell.buffer = BufferId::output;
    cell.block = *output;
    return cell;
  }

  Cell locate(uint32_t t, const Slice& slice, uint32_t part) const {
    const uint64_t tile = threads_[t].tile;
    if (slice.buffer == BufferId::scratch) {
      return {slice.rank, BufferId::scratch, slice.block, part - slice.origin,
              tile % schedule_.header().stages};
    }
    const uint32_t position = part % schedule_.header().chunks;
    return aliased({slice.rank, slice.buffer, slice.block, position, tile});
  }

  // Notes an access. `owner` is the rank whose memory it is.
  void touch(uint32_t t, const Step& step, const Cell& cell, Rank owner, bool writes) {
    const Thread& thread = threads_[t];
    MemoryAccess access{.thread = t,
                        .issued = thread.issued,
                        .writes = writes,
                        .ended_by_step = thread.issued,
                        .clock = clocks_.back().get()};
    const Program& program = schedule_.program_view(thread.rank);
    const bool is_put = step.op == Op::copy && step.target.rank != thread.rank;
    const bool is_get =
        step.op == Op::copy && program.sources[step.sources.first].rank != thread.rank;
    if (is_put) {
      access.peer = step.target.rank;
      access.ended_by_delivery = find_end(t, [&](const Step& later) {
        return later.op == Op::signal && later.peer == step.target.rank;
      });
      access.ended_by_step =
          writes ? kNever : find_end(t, [&](const Step& later) { return writes_here(t, later); });
    } else if (is_get) {
      access.ended_by_step = find_end(t, [](const Step& later) { return later.op != Op::copy; });
    }
    memory_[cell].accesses.push_back(access);
    if (owner != thread.rank) visits_.push_back({owner, t, access});
  }

  bool writes_here(uint32_t t, const Step& step) const {
    return step.op == Op::reduce || (step.op == Op::copy && step.target.rank == threads_[t].rank);
  }

  // The number of the first later step of this thread that satisfies `ends`.
  template <class Predicate>
  uint32_t find_end(uint32_t t, Predicate ends) const {
    const Thread& thread = threads_[t];
    uint32_t number = thread.issued;
    uint64_t tile = thread.tile;
    for (size_t i = thread.next + 1;; ++i) {
      if (i == thread.steps->size()) {
        i = 0;
        if (++tile == tiles_) return kNever;
      }
      ++number;
      if (ends((*thread.steps)[i])) return number;
    }
  }

  Status check_accesses() {
    for (const auto& [cell, memory] : memory_) {
      for (size_t i = 0; i < memory.accesses.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
          UNIRACK_TRY(check_pair(cell, memory.accesses[j], memory.accesses[i]));
        }
      }
    }
    for (const Visit& visit : visits_) {
      VectorClock at_end = threads_[static_cast<uint32_t>(visit.owner) * lanes_].clock;
      for (uint32_t lane = 1; lane < lanes_; ++lane) {
        at_end.merge(threads_[static_cast<uint32_t>(visit.owner) * lanes_ + lane].clock);
      }
      if (!visit.access.ended_before(at_end, ranks_)) {
        return make_error(Code::internal,
                          describe() + "rank " + to_string(threads_[visit.thread].rank) +
                              " may still touch memory of rank " + to_string(visit.owner) +
                              " after that rank's program has ended");
      }
    }
    return ok_status();
  }

  Status check_pair(const Cell& cell, const MemoryAccess& a, const MemoryAccess& b) const {
    if (!a.writes && !b.writes) return ok_status();
    // The two halves of one step, a reduce into one of its sources, do not race.
    if (a.thread == b.thread && a.issued == b.issued) return ok_status();
    if (a.ended_before(*b.clock, ranks_) || b.ended_before(*a.clock, ranks_)) return ok_status();
    return make_error(Code::internal, describe() + "ranks " + to_string(threads_[a.thread].rank) +
                                          " and " + to_string(threads_[b.thread].rank) +
                                          " race for block " + to_string(cell.block) + " of rank " +
                                          to_string(cell.rank) +
                                          (cell.buffer == BufferId::scratch ? " (scratch)" : ""));
  }

  Status check_outputs() {
    const uint32_t chunks = schedule_.header().chunks;
    for (Rank rank = 0; rank < static_cast<Rank>(ranks_); ++rank) {
      for (uint32_t block = 0; block < layout_.blocks(rank, BufferId::output); ++block) {
        const uint32_t data = layout_.data_block(rank, BufferId::output, block);
        for (uint32_t i = 0; i < chunks * tiles_; ++i) {
          const uint32_t part = data * chunks + i % chunks;
          const Cell cell{rank, BufferId::output, block, i % chunks, i / chunks};
          UNIRACK_TRY(check_output(cell, part));
        }
      }
    }
    return ok_status();
  }

  Status check_output(const Cell& cell, uint32_t part) {
    const auto at = memory_.find(cell);
    const SymbolId held = at == memory_.end() ? kNothing : at->second.holds;
    const std::string where = describe() + "output block " + to_string(cell.block) + " part " +
                              to_string(part) + " of rank " + to_string(cell.rank);
    if (held == kNothing) return make_error(Code::internal, where + " is never written");
    const uint32_t data = part / schedule_.header().chunks;
    std::vector<SymbolId> expected;
    for (Rank rank = 0; rank < static_cast<Rank>(ranks_); ++rank) {
      if (layout_.contributes(rank, data)) {
        expected.push_back(symbols_.contribution(rank, part, cell.tile));
      }
    }
    if (!is_reduction(schedule_.header().collective)) {
      if (held == expected[0]) return ok_status();
      return make_error(Code::internal, where + " holds other data");
    }
    std::sort(expected.begin(), expected.end());
    if (symbols_.kind(held) != SymbolKind::done || symbols_.leaves(held) != expected) {
      return make_error(Code::internal, where + " does not hold every contribution exactly once");
    }
    if (schedule_.header().reassociates || held == canonical(part, cell.tile)) return ok_status();
    return make_error(Code::internal, where + " is summed in another order than the sum shape's");
  }

  SymbolId canonical(uint32_t part, uint64_t tile) {
    std::vector<SymbolId> groups;
    for (const auto& group : schedule_.header().sum_groups) {
      std::vector<SymbolId> members;
      for (const Rank rank : group) {
        members.push_back(symbols_.as_partial(symbols_.contribution(rank, part, tile)));
      }
      groups.push_back(symbols_.sum(members));
    }
    return symbols_.finish(symbols_.sum(groups));
  }

  std::string describe() const {
    return "schedule " + schedule_.header().algorithm + ", " + to_string(tiles_) + " tiles" +
           (in_place_ ? ", in place: " : ": ");
  }

  Error wrong(uint32_t t, const std::string& what) const {
    const Thread& thread = threads_[t];
    return make_error(Code::internal, describe() + "rank " + to_string(thread.rank) + " lane " +
                                          to_string(t % lanes_) + " step " +
                                          to_string(thread.next) + " (tile " +
                                          to_string(thread.tile) + ") " + what);
  }

  struct Visit {
    Rank owner = 0;
    uint32_t thread = 0;
    MemoryAccess access;
  };

  const Schedule& schedule_;
  const Layout layout_;
  const uint32_t ranks_;
  const uint32_t lanes_;
  const uint64_t tiles_;
  const bool in_place_;
  SymbolTable symbols_;
  std::vector<Thread> threads_;
  std::vector<std::vector<SignalEvent>> signals_;  // by thread and reader
  std::map<uint32_t, uint64_t> last_value_;
  std::map<Cell, CellState> memory_;
  std::vector<std::unique_ptr<VectorClock>> clocks_;
  std::vector<Visit> visits_;
};

}  // namespace

Status verify(const Schedule& schedule) {
  UNIRACK_TRY(check_well_formed(schedule));
  const uint64_t stages = schedule.header().stages;
  std::vector<uint64_t> tile_counts = {1, stages, stages + 1};
  tile_counts.erase(std::unique(tile_counts.begin(), tile_counts.end()), tile_counts.end());
  for (const uint64_t tiles : tile_counts) {
    UNIRACK_TRY(Run(schedule, tiles, false).check());
    if (schedule.header().in_place) UNIRACK_TRY(Run(schedule, tiles, true).check());
  }
  return ok_status();
}

}  // namespace unirack
