// A schedule: how one collective is done, as data. Immutable, printable, hashable, comparable.
//
// Generators make schedules with Builder, compositions with embed() and then(); the verifier proves
// them, the simulator prices them, executors run them. One schedule serves every size of its range:
// `tile_bytes` cuts a block into tiles at launch.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collectives/layout.h"
#include "kernels/program.h"
#include "lib/base/result.h"

namespace unirack {

// What a schedule is for and how its data is cut.
struct ScheduleHeader {
  Collective collective = Collective::all_reduce;
  int rank_count = 1;
  Rank root = 0;
  std::string algorithm;   // "two_shot": lower case, digits and underscores
  bool symmetric = false;  // may reduce from peers' input and output
  bool in_place = true;    // right when input and output share memory
  bool reassociates = false;
  std::vector<std::vector<Rank>> sum_groups;  // the sum shape it follows; empty: no reduction
  uint32_t chunks = 1;
  uint32_t stages = 1;
  uint32_t granule_bytes = 64;
  uint64_t tile_bytes = 0;  // 0: one tile, whatever the size

  friend bool operator==(const ScheduleHeader&, const ScheduleHeader&) = default;
};

class Schedule {
 public:
  Schedule(ScheduleHeader header, std::vector<Program> programs);

  const ScheduleHeader& header() const { return header_; }
  Program program(Rank rank) const { return programs_[static_cast<size_t>(rank)]; }
  // The same program without a copy; valid as long as the schedule.
  const Program& program_view(Rank rank) const { return programs_[static_cast<size_t>(rank)]; }
  Layout layout() const { return {header_.collective, header_.rank_count, header_.root}; }
  // Of everything but the name; ranks compare it at every meeting.
  uint64_t hash() const { return hash_; }
  // Steps of the longest program, for people.
  uint32_t step_count() const;
  // Whether another rank touches this input or output of `owner`.
  bool is_visited(Rank owner, BufferId buffer) const;

  Schedule with_tiles(uint64_t tile_bytes) const;
  // Tiles for a block of `bytes`; elements and scratch as launch sees them.
  uint64_t tile_count(uint64_t block_bytes) const;
  Geometry geometry(uint64_t count, DataType type) const;
  // Bytes of scratch a rank needs for one operation in progress; at most this much is touched.
  uint64_t scratch_bytes(uint64_t count, DataType type) const;

 private:
  ScheduleHeader header_;
  std::vector<Program> programs_;
  std::vector<bool> visited_;  // by rank: its input, its output
  uint64_t hash_ = 0;
};

// Byte offset of every scratch block inside one stage, and the bytes of a stage.
struct ScratchPlan {
  std::vector<uint64_t> offsets;
  uint64_t stage_bytes = 0;
};
ScratchPlan plan_scratch(const Program& program, const Geometry& geometry, DataType type);

// The text form: one line a step, human-readable, exact. parse(print(s)) == s.
std::string to_text(const Schedule& schedule);
Result<Schedule> schedule_from_text(std::string_view text);

// ---- Building ---------------------------------------------------------------------------------

struct Parts {
  uint32_t begin = 0;
  uint32_t end = 0;
};

// A value that a lane has signalled; somebody may wait for it.
struct Mark {
  Rank writer = kNoRank;
  int lane = 0;
  uint32_t v = 0;
};

// Writes the programs of all ranks at once. Steps join the end of their lane; a copy or reduce that
// continues the one before it is merged into it.
class Builder {
 public:
  explicit Builder(ScheduleHeader header);

  // May change until build(), but for the ranks.
  ScheduleHeader& header() { return header_; }
  const ScheduleHeader& header() const { return header_; }
  // A new scratch block at every rank.
  uint32_t scratch(uint32_t parts, Form form);
  void copy(Rank rank, int lane, Parts parts, Slice target, Slice source);
  void reduce(Rank rank, int lane, Parts parts, Slice target, std::span<const Slice> sources);
  Mark signal(Rank rank, int lane, Rank peer);
  void wait(Rank rank, int lane, Mark mark, uint32_t tiles_back = 0);
  // Until `peer` has entered the operation: its input and output may be touched.
  void wait_record(Rank rank, int lane, Rank peer);
  Schedule build() &&;

 private:
  Program& program(Rank rank) { return programs_[static_cast<size_t>(rank)]; }
  std::vector<Step>& steps(Rank rank, int lane);
  void append(Rank rank, int lane, Step step, std::span<const Slice> sources);
  void move(Op op, Rank rank, int lane, Parts parts, Slice target, std::span<const Slice> sources);

  ScheduleHeader header_;
  std::vector<ScratchBlock> scratch_;
  std::vector<Program> programs_;
  std::vector<std::vector<uint32_t>> values_;  // last value of every rank's lanes
};

// ---- Composing --------------------------------------------------------------------------------

struct Place {
  BufferId buffer = BufferId::input;
  uint32_t block = 0;
  uint32_t origin = 0;  // scratch: the large part at the start of the block
};

// Where a small schedule lives inside a large one.
struct Embedding {
  ScheduleHeader header;              // of the large one
  std::vector<ScratchBlock> scratch;  // blocks that exist already
  uint32_t scratch_at = 0;       // the small one's blocks begin here, shared as far as they exist
  Form input_form = Form::user;  // partial: the small one's inputs are unfinished sums
  // Added to a Composer, it touches nothing of a rank that this rank uses in what came before, so
  // the rank's record says enough.
  bool records_suffice = false;
  std::vector<Rank> ranks;                  // small rank -> large rank
  std::vector<uint32_t> parts;              // small part -> large part
  std::vector<std::vector<Place>> inputs;   // small rank and input block -> large place
  std::vector<std::vector<Place>> outputs;  // small rank and output block -> large place
};

// Renames ranks, buffers and parts. A large schedule with steps only at `ranks`.
Result<Schedule> embed(const Schedule& schedule, const Embedding& embedding);

// Each rank does `a`, then `b`: appends the steps lane by lane, shifts b's counter values, and
// turns b's waits for a record of a rank that has work in `a` into waits for a signal that it is
// done with that lane of `a`. b's scratch must begin with a's, grown or not.
Result<Schedule> then(const Schedule& a, const Schedule& b);

// Builds a large schedule by adding small ones, each as then(all so far, embed(small)) would, in
// time linear in the small ones' steps.
class Composer {
 public:
  // `scratch`: blocks that exist from the start.
  Composer(ScheduleHeader header, std::vector<ScratchBlock> scratch);
  // The header and the scratch blocks of `embedding` are ours, whatever it says.
  Status add(const Schedule& small, Embedding embedding);
  // Several of one lane at a time: a rank that is in more than one runs them side by side.
  struct Addition {
    const Schedule* small = nullptr;
    Embedding embedding;
  };
  Status add_side_by_side(std::vector<Addition> additions);
  uint32_t scratch_count() const { return static_cast<uint32_t>(scratch_.size()); }
  Schedule finish() &&;

 private:
  Result<std::vector<Program>> place(const Schedule& small, Embedding& embedding);

  ScheduleHeader header_;
  std::vector<ScratchBlock> scratch_;
  std::vector<Program> programs_;
  std::vector<std::array<uint32_t, kLanesMax>> values_;  // last value of every rank's lanes
};

// Repeats a schedule of one lane on `lanes` lanes, each with its own share of every data block and
// its own scratch: chunks * lanes chunks.
Schedule stripe(Schedule schedule, int lanes);

// The same, each lane one hop behind the one before it: it starts when what that lane waits for
// first has arrived. So lanes need different links at a time: what one lane sends over the rails
// overlaps with what the next one does within its domain.
Schedule stripe_staggered(const Schedule& schedule, int lanes);

// Cuts every part into `factor` parts: the same plan in smaller pieces, for embed() to place.
Schedule refine(const Schedule& schedule, uint32_t factor);

}  // namespace unirack
