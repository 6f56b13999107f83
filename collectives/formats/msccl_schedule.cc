#include "collectives/formats/msccl_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "collectives/formats/msccl_lanes.h"
#include "collectives/formats/msccl_memory.h"
#include "collectives/formats/msccl_order.h"
#include "collectives/formats/msccl_xml.h"
#include "collectives/verify.h"
#include "kernels/reduce.h"

namespace unirack {

namespace {

// MSCCL loops over so much of every chunk: a buffer of 4 MiB in eight steps.
constexpr uint64_t kLoopBytes = 512 * 1024;

struct Sent {
  std::vector<Held> run;
  Mark mark;
  LaneId sender;
};

// How channels become lanes: none: all of them one.
struct Lanes {
  std::map<int32_t, int> of_channel;
  int count = 1;

  int of(const MscclBlock& block) const {
    const auto found = of_channel.find(block.channel);
    return found == of_channel.end() ? 0 : found->second;
  }
};

class Importer {
 public:
  Importer(const MscclAlgorithm& algorithm, std::string_view text, Lanes lanes)
      : algorithm_(algorithm),
        text_(text),
        lanes_(std::move(lanes)),
        work_(algorithm.rank_count(), lanes_.count),
        memory_(algorithm) {
    find_receivers();
    find_announcements();
  }

  Status play(const std::vector<MscclEvent>& order) {
    for (const MscclEvent& event : order) {
      at_ = event;
      const MscclBlock& block = block_of(event);
      const MscclStep& step = block.steps[event.step];
      lane_ = {static_cast<Rank>(event.gpu), lanes_.of(block)};
      wait_for_announcement(step);
      UNIRACK_TRY(run(block, step));
      if (needed_.contains({event.gpu, event.block, event.step})) {
        announced_[{event.gpu, event.block, event.step}] = work_.signal(lane_, lane_.rank);
      }
    }
    keep_own_blocks();
    return ok_status();
  }

  Schedule build(bool in_place) && {
    ScheduleHeader header;
    header.collective = algorithm_.collective;
    header.rank_count = algorithm_.rank_count();
    header.algorithm = algorithm_.name;
    header.in_place = in_place;
    header.chunks = algorithm_.chunks;
    header.tile_bytes = kLoopBytes * header.chunks;
    if (is_reduction(header.collective)) {
      // Of three, the order that the file sums in is its own.
      header.reassociates = header.rank_count > 2;
      header.sum_groups.emplace_back(static_cast<size_t>(header.rank_count));
      std::iota(header.sum_groups[0].begin(), header.sum_groups[0].end(), 0);
    }
    return std::move(work_).build(std::move(header));
  }

 private:
  using Connection = std::tuple<int32_t, int32_t, int32_t>;  // from, to, channel
  using StepKey = std::tuple<uint32_t, uint32_t, uint32_t>;  // GPU, block, step

  struct Receiver {
    uint32_t block = 0;
    std::vector<uint32_t> steps;  // that receive
    size_t next = 0;              // to be sent to
    std::deque<Sent> waiting;
  };

  const MscclBlock& block_of(const MscclEvent& event) const {
    return algorithm_.gpus[event.gpu].blocks[event.block];
  }

  void find_receivers() {
    for (uint32_t gpu = 0; gpu < algorithm_.gpus.size(); ++gpu) {
      const auto& blocks = algorithm_.gpus[gpu].blocks;
      for (uint32_t index = 0; index < blocks.size(); ++index) {
        const MscclBlock& block = blocks[index];
        if (block.receive < 0) continue;
        Receiver& receiver = receivers_[{block.receive, static_cast<int32_t>(gpu), block.channel}];
        receiver.block = index;
        for (uint32_t i = 0; i < block.steps.size(); ++i) {
          if (receives(block.steps[i].op)) receiver.steps.push_back(i);
        }
      }
    }
  }

  // The step that announces what `step` waits for.
  std::optional<StepKey> announcer_of(uint32_t gpu, const MscclStep& step) const {
    if (step.after_block < 0) return std::nullopt;
    const auto block = static_cast<uint32_t>(step.after_block);
    const auto& steps = algorithm_.gpus[gpu].blocks[block].steps;
    for (auto i = static_cast<uint32_t>(step.after_step); i < steps.size(); ++i) {
      if (steps[i].announces) return StepKey{gpu, block, i};
    }
    return std::nullopt;
  }

  // Steps of one lane are in order anyway.
  void find_announcements() {
    for (uint32_t gpu = 0; gpu < algorithm_.gpus.size(); ++gpu) {
      const auto& blocks = algorithm_.gpus[gpu].blocks;
      for (const MscclBlock& block : blocks) {
        for (const MscclStep& step : block.steps) {
          const auto announcer = announcer_of(gpu, step);
          if (!announcer) continue;
          const MscclBlock& other = blocks[std::get<1>(*announcer)];
          if (lanes_.of(other) != lanes_.of(block)) needed_.insert(*announcer);
        }
      }
    }
  }

  void wait_for_announcement(const MscclStep& step) {
    const auto announcer = announcer_of(at_.gpu, step);
    if (!announcer) return;
    const auto found = announced_.find(*announcer);
    if (found != announced_.end() && found->second.lane != lane_.lane) {
      work_.wait(lane_, found->second);
    }
  }

  Error wrong(std::string_view why) const {
    return algorithm_.error(text_, at_.gpu, at_.block, at_.step, why);
  }

  Result<std::vector<Held>> read_run(const MscclStep& step) {
    std::vector<Held> run;
    for (uint32_t i = 0; i < step.count; ++i) {
      const MscclPlace place = memory_.place(lane_.rank, step.source, i);
      auto held = memory_.read(lane_, place);
      if (!held) {
        return wrong(fmt::format("expected a chunk that was written, found {} {}",
                                 place.buffer == BufferId::output ? 'o' : 's', place.chunk));
      }
      run.push_back(std::move(*held));
    }
    return run;
  }

  // Gives those of the run that have no place yet scratch of `rank`: a block for parts that follow
  // each other.
  void place_in_scratch(Rank rank, LaneId writer, std::vector<Held>& run,
                        const std::vector<bool>& is_placed) {
    for (size_t i = 0; i < run.size();) {
      size_t end = i + 1;
      if (!is_placed[i]) {
        while (end < run.size() && !is_placed[end] && run[end].part == run[end - 1].part + 1 &&
               run[end].part % algorithm_.chunks != 0 && run[end].form == run[i].form) {
          ++end;
        }
        const uint32_t block = work_.scratch(rank, static_cast<uint32_t>(end - i), run[i].form);
        const Slice slice{rank, BufferId::scratch, block, run[i].part};
        for (size_t j = i; j < end; ++j) {
          run[j].at = slice;
          run[j].writer = writer;
        }
      }
      i = end;
    }
  }

  void note_read(const Held& held) {
    if (held.writer) work_.note_read(lane_, *held.writer);
  }

  // ---- Steps ------------------------------------------------------------------------------------

  Status run(const MscclBlock& block, const MscclStep& step) {
    switch (step.op) {
      case MscclOp::nop:
        return ok_status();
      case MscclOp::copy:
        return copy(step);
      case MscclOp::reduce:
        return reduce(block, step);
      case MscclOp::send:
        return send(block, UNIRACK_TRY(read_run(step)));
      default:
        return receive(block, step);
    }
  }

  Status copy(const MscclStep& step) {
    const std::vector<Held> from = UNIRACK_TRY(read_run(step));
    std::vector<Held> to = from;
    std::vector<bool> is_placed(to.size(), false);
    for (uint32_t i = 0; i < step.count; ++i) {
      if (const auto output = memory_.output_for(lane_.rank, step.target, i, from[i])) {
        to[i].at = *output;
        to[i].form = Form::user;
        to[i].writer.reset();
        is_placed[i] = true;
      }
    }
    place_in_scratch(lane_.rank, lane_, to, is_placed);
    for (uint32_t i = 0; i < step.count; ++i) {
      note_read(from[i]);
      move(from[i], to[i]);
      memory_.store(lane_.rank, step.target, i, to[i]);
    }
    return ok_status();
  }

  // Within a rank: what is not finished is finished on its way into the output.
  void move(const Held& from, const Held& to) {
    if (from.form == to.form) {
      work_.copy(lane_, from.part, to.at, from.at);
    } else {
      work_.reduce(lane_, from.part, to.at, {from.at});
    }
  }

  // Reductions into one place that follow each other are one, as they are in MSCCL.
  Status reduce(const MscclBlock& block, const MscclStep& step) {
    if (chained_.erase({at_.gpu, at_.block, at_.step}) > 0) return ok_status();
    std::vector<MscclStep> chain = {step};
    for (uint32_t next = at_.step + 1;
         next < block.steps.size() && chain.size() + 1 < kReduceSourcesMax; ++next) {
      const MscclStep& other = block.steps[next];
      const bool follows = other.op == MscclOp::reduce && other.after_block < 0 &&
                           !chain.back().announces && other.count == step.count &&
                           other.target.buffer == step.target.buffer &&
                           other.target.chunk == step.target.chunk;
      if (!follows) break;
      chain.push_back(other);
      chained_.insert({at_.gpu, at_.block, next});
    }
    std::vector<std::vector<Held>> terms;
    MscclStep target = step;
    target.source = step.target;
    terms.push_back(UNIRACK_TRY(read_run(target)));
    for (const MscclStep& each : chain) terms.push_back(UNIRACK_TRY(read_run(each)));
    (void)UNIRACK_TRY(sum(terms, step.target, true));
    return ok_status();
  }

  // Adds runs and keeps the result at `target`, or, where it is not kept, in scratch of its own.
  Result<std::vector<Held>> sum(const std::vector<std::vector<Held>>& terms, MscclPlace target,
                                bool is_kept) {
    std::vector<Held> result = terms[0];
    std::vector<bool> is_placed(result.size(), false);
    for (uint32_t i = 0; i < result.size(); ++i) {
      for (size_t term = 1; term < terms.size(); ++term) {
        UNIRACK_TRY(add(result[i], terms[term][i]));
      }
      result[i].form = Form::partial;
      result[i].writer.reset();
      const auto output =
          is_kept ? memory_.output_for(lane_.rank, target, i, result[i]) : std::nullopt;
      if (!output) continue;
      result[i].at = *output;
      result[i].form = Form::user;
      is_placed[i] = true;
    }
    place_in_scratch(lane_.rank, lane_, result, is_placed);
    for (uint32_t i = 0; i < result.size(); ++i) {
      std::vector<Slice> sources;
      for (const auto& term : terms) {
        note_read(term[i]);
        sources.push_back(term[i].at);
      }
      work_.reduce(lane_, result[i].part, result[i].at, std::move(sources));
      if (is_kept) memory_.store(lane_.rank, target, i, result[i]);
    }
    return result;
  }

  Status add(Held& sum, const Held& term) const {
    if (sum.part != term.part) {
      return wrong(fmt::format("expected two chunks of one place in the vector, found {} and {}",
                               sum.part, term.part));
    }
    if (const auto twice = sum.from.add(term.from)) {
      return wrong(fmt::format("expected other contributions, found that of gpu {} twice", *twice));
    }
    return ok_status();
  }

  Status send(const MscclBlock& block, const std::vector<Held>& from) {
    Receiver& receiver = receivers_[{lane_.rank, block.send, block.channel}];
    const Rank peer = block.send;
    const MscclBlock& other = algorithm_.gpus[static_cast<size_t>(peer)].blocks[receiver.block];
    const MscclStep& step = other.steps[receiver.steps[receiver.next++]];
    const LaneId taker{peer, lanes_.of(other)};
    std::vector<Held> to = from;
    std::vector<bool> is_placed(to.size(), false);
    const bool is_stored = step.op == MscclOp::receive || step.op == MscclOp::receive_copy_send;
    for (uint32_t i = 0; i < to.size() && is_stored; ++i) {
      const auto output = memory_.output_for(peer, step.target, i, from[i]);
      if (!output || from[i].form == Form::partial) continue;
      work_.wait_record(lane_, peer);
      to[i].at = *output;
      to[i].writer.reset();
      is_placed[i] = true;
    }
    place_in_scratch(peer, lane_, to, is_placed);
    for (size_t i = 0; i < to.size(); ++i) {
      work_.copy(lane_, to[i].part, to[i].at, from[i].at);
      if (from[i].writer) work_.note_put(lane_, *from[i].writer, taker);
      if (to[i].writer) work_.note_read(taker, lane_);
    }
    receiver.waiting.push_back({std::move(to), work_.signal(lane_, peer), lane_});
    return ok_status();
  }

  Status receive(const MscclBlock& block, const MscclStep& step) {
    Receiver& own = receivers_[{block.receive, lane_.rank, block.channel}];
    const Sent sent = std::move(own.waiting.front());
    own.waiting.pop_front();
    work_.wait(lane_, sent.mark);
    std::vector<Held> result;
    if (reduces(step.op)) {
      const std::vector<Held> local = UNIRACK_TRY(read_run(step));
      result = UNIRACK_TRY(sum({sent.run, local}, step.target, writes_target(step.op)));
    } else {
      result = keep(step, sent.run);
    }
    return sends(step.op) ? send(block, result) : ok_status();
  }

  // What has arrived stays where it is; a whole sum that was not finished yet is finished.
  std::vector<Held> keep(const MscclStep& step, const std::vector<Held>& run) {
    std::vector<Held> result = run;
    for (uint32_t i = 0; i < run.size(); ++i) {
      const auto output = memory_.output_for(lane_.rank, step.target, i, run[i]);
      if (output && run[i].form == Form::partial) {
        result[i].at = *output;
        result[i].form = Form::user;
        result[i].writer.reset();
        note_read(run[i]);
        move(run[i], result[i]);
      }
      memory_.store(lane_.rank, step.target, i, result[i]);
    }
    return result;
  }

  // In place a rank's own block lies in its output already; elsewhere it has to be copied.
  void keep_own_blocks() {
    for (const MscclMemory::OwnChunk& own : memory_.own_chunks()) {
      work_.copy_first(own.reader, own.part, own.output, own.input);
    }
  }

  const MscclAlgorithm& algorithm_;
  const std::string_view text_;
  const Lanes lanes_;
  MscclLanes work_;
  std::map<Connection, Receiver> receivers_;
  std::set<StepKey> needed_;
  std::map<StepKey, Mark> announced_;
  std::set<StepKey> chained_;
  MscclMemory memory_;
  MscclEvent at_;
  LaneId lane_;
};

Lanes lanes_by_channel(const MscclAlgorithm& algorithm) {
  Lanes lanes;
  for (const MscclGpu& gpu : algorithm.gpus) {
    for (const MscclBlock& block : gpu.blocks) {
      if (block.channel >= 0) lanes.of_channel[block.channel] = 0;
    }
  }
  int next = 0;
  for (auto& [channel, lane] : lanes.of_channel) lane = next++ % static_cast<int>(kLanesMax);
  lanes.count = std::clamp(next, 1, static_cast<int>(kLanesMax));
  return lanes;
}

// Whether verify() has room for it: it notes a clock of all ranks at every step.
bool is_provable(const MscclAlgorithm& algorithm, size_t steps, const Lanes& lanes) {
  constexpr uint64_t kWordsMax = uint64_t{1} << 26;
  const auto ranks = static_cast<uint64_t>(algorithm.rank_count());
  const uint64_t clock = ranks * ranks * static_cast<uint64_t>(lanes.count);
  return clock * (ranks + 3 * steps) <= kWordsMax;
}

Result<Schedule> import_with(const MscclAlgorithm& algorithm, std::string_view text,
                             const std::vector<MscclEvent>& order, Lanes lanes, bool in_place) {
  Importer importer(algorithm, text, std::move(lanes));
  UNIRACK_TRY(importer.play(order));
  return std::move(importer).build(in_place);
}

}  // namespace

bool recognises_msccl_xml(std::string_view text) {
  constexpr size_t kHead = 4096;
  return text.substr(0, kHead).find("<algo ") != std::string_view::npos;
}

Result<Schedule> schedule_from_msccl_xml(std::string_view text) {
  const MscclAlgorithm algorithm = UNIRACK_TRY(read_msccl_xml(text));
  const std::vector<MscclEvent> order = UNIRACK_TRY(order_msccl(algorithm, text));
  const Lanes lanes = lanes_by_channel(algorithm);
  if (!is_provable(algorithm, order.size(), lanes)) {
    return import_with(algorithm, text, order, {}, algorithm.in_place);
  }
  Schedule first = UNIRACK_TRY(import_with(algorithm, text, order, lanes, algorithm.in_place));
  if (verify(first)) return first;
  for (const bool in_place : {true, false}) {
    if (in_place && (!algorithm.in_place || lanes.count == 1)) continue;
    Schedule one = UNIRACK_TRY(import_with(algorithm, text, order, {}, in_place));
    if (verify(one)) return one;
  }
  // It is wrong whatever the lanes, and the first says where.
  return first;
}

}  // namespace unirack
