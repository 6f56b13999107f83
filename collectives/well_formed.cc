#include "collectives/well_formed.h"

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace unirack {

namespace {

using std::to_string;

class Checker {
 public:
  explicit Checker(const Schedule& schedule)
      : schedule_(schedule), header_(schedule.header()), layout_(schedule.layout()) {}

  Status check() {
    UNIRACK_TRY(check_programs());
    UNIRACK_TRY(check_sum_shape());
    for (rank_ = 0; rank_ < header_.rank_count; ++rank_) {
      const Program& program = schedule_.program_view(rank_);
      for (lane_ = 0; lane_ < program.lanes.size(); ++lane_) {
        const auto& steps = program.lanes[lane_].steps;
        for (index_ = 0; index_ < steps.size(); ++index_) {
          UNIRACK_TRY(check_step(program, steps[index_]));
        }
      }
    }
    return ok_status();
  }

 private:
  Status check_programs() const {
    if (header_.rank_count < 1 || header_.chunks < 1 || header_.stages < 1) {
      return make_error(Code::internal, "a schedule needs at least one rank, chunk and stage");
    }
    const Program& first = schedule_.program_view(0);
    for (Rank rank = 0; rank < header_.rank_count; ++rank) {
      const Program& program = schedule_.program_view(rank);
      if (program.lanes.size() != first.lanes.size() || program.lanes.empty() ||
          program.lanes.size() > kLanesMax || program.scratch != first.scratch ||
          program.values_per_tile != first.values_per_tile) {
        return make_error(Code::internal, "programs differ in lanes, values or scratch");
      }
    }
    return ok_status();
  }

  Status check_sum_shape() const {
    if (!is_reduction(header_.collective) || header_.reassociates) return ok_status();
    std::vector<Rank> all;
    for (const auto& group : header_.sum_groups) {
      if (group.empty()) return make_error(Code::internal, "a group of the sum shape is empty");
      all.insert(all.end(), group.begin(), group.end());
    }
    std::sort(all.begin(), all.end());
    bool is_whole = all.size() == static_cast<size_t>(header_.rank_count);
    for (size_t i = 0; is_whole && i < all.size(); ++i) is_whole = all[i] == static_cast<Rank>(i);
    if (is_whole) return ok_status();
    return make_error(Code::internal, "the sum shape does not name every rank once");
  }

  bool has_rank(Rank rank) const { return rank >= 0 && rank < header_.rank_count; }

  Status check_step(const Program& program, const Step& step) {
    const auto lanes = program.lanes.size();
    if (step.op == Op::wait) {
      if (has_rank(step.peer) && step.peer_lane < lanes) return ok_status();
      return wrong("waits for a rank or lane that does not exist");
    }
    if (step.op == Op::signal) {
      if (!has_rank(step.peer)) return wrong("signals a rank that does not exist");
      if (step.value.v > 0 && step.value.v <= program.values_per_tile) return ok_status();
      return wrong("signals a value outside its tile");
    }
    if (step.begin >= step.end) return wrong("moves no parts");
    const std::span<const Slice> sources(program.sources.data() + step.sources.first,
                                         step.sources.count);
    UNIRACK_TRY(step.op == Op::copy ? check_copy(step, sources) : check_reduce(step, sources));
    if (step.target.buffer == BufferId::input) return wrong("writes an input");
    UNIRACK_TRY(check_slice(step, step.target));
    for (const Slice& source : sources) UNIRACK_TRY(check_slice(step, source));
    return ok_status();
  }

  Status check_copy(const Step& step, std::span<const Slice> sources) const {
    if (sources.size() != 1) return wrong("copies from other than one source");
    if (step.target.rank != rank_ && sources[0].rank != rank_) {
      return wrong("copies between two other ranks");
    }
    return ok_status();
  }

  Status check_reduce(const Step& step, std::span<const Slice> sources) const {
    if (sources.empty() || step.target.rank != rank_) {
      return wrong("reduces nothing, or into another rank");
    }
    if (!is_reduction(header_.collective)) {
      return wrong("reduces in a collective that only moves data");
    }
    for (const Slice& source : sources) {
      const bool is_private = source.buffer != BufferId::scratch && source.rank != rank_;
      if (is_private && !header_.symmetric) {
        return wrong("reduces from a private buffer of rank " + to_string(source.rank));
      }
    }
    return ok_status();
  }

  Status check_slice(const Step& step, const Slice& slice) {
    if (!has_rank(slice.rank)) return wrong("names a rank that does not exist");
    const uint32_t data = step.begin / header_.chunks;
    if (data >= layout_.data_blocks()) return wrong("names a part that does not exist");
    if ((step.end - 1) / header_.chunks != data) return wrong("moves parts of two data blocks");
    if (slice.buffer == BufferId::scratch) return check_scratch(step, slice);
    if (slice.block >= layout_.blocks(slice.rank, slice.buffer)) {
      return wrong("names a block that does not exist");
    }
    if (layout_.data_block(slice.rank, slice.buffer, slice.block) != data) {
      return wrong("looks for parts in a block of other data");
    }
    if (slice.origin != data * header_.chunks) return wrong("has the wrong origin for a block");
    return ok_status();
  }

  Status check_scratch(const Step& step, const Slice& slice) {
    const auto& scratch = schedule_.program_view(0).scratch;
    if (slice.block >= scratch.size()) return wrong("names scratch that does not exist");
    const auto [origin, is_new] =
        origins_.try_emplace(std::pair(slice.rank, slice.block), slice.origin);
    if (origin->second != slice.origin) return wrong("uses one scratch block with two origins");
    if (step.begin < slice.origin || step.end - slice.origin > scratch[slice.block].parts ||
        step.begin / header_.chunks != slice.origin / header_.chunks) {
      return wrong("leaves its scratch block");
    }
    return ok_status();
  }

  Error wrong(const std::string& what) const {
    return make_error(Code::internal, "schedule " + header_.algorithm + ": rank " +
                                          to_string(rank_) + " lane " + to_string(lane_) +
                                          " step " + to_string(index_) + " " + what);
  }

  const Schedule& schedule_;
  const ScheduleHeader& header_;
  const Layout layout_;
  std::map<std::pair<Rank, uint32_t>, uint32_t> origins_;  // (rank, scratch block) -> origin
  Rank rank_ = 0;
  size_t lane_ = 0;
  size_t index_ = 0;
};

}  // namespace

Status check_well_formed(const Schedule& schedule) { return Checker(schedule).check(); }

}  // namespace unirack
