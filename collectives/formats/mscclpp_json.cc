#include "collectives/formats/mscclpp_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "collectives/formats/mscclpp_links.h"
#include "collectives/well_formed.h"

namespace unirack {

namespace {

using Json = nlohmann::ordered_json;

// Of MSCCL++'s executor (src/core/include/execution_common.hpp).
constexpr size_t kOperationsMax = 64;  // of a thread block
constexpr size_t kChannelsMax = 16;    // of a thread block
constexpr size_t kChannelsAtOnce = 8;  // of an operation
constexpr size_t kSourcesMax = 10;     // of an operation
constexpr size_t kSemaphoresMax = 16;  // of a GPU

std::optional<std::string> mscclpp_name(Collective collective) {
  switch (collective) {
    case Collective::all_reduce:
      return "allreduce";
    case Collective::all_gather:
      return "allgather";
    case Collective::reduce_scatter:
      return "reducescatter";
    case Collective::all_to_all:
      return "alltoall";
    default:
      return std::nullopt;
  }
}

// The place of `value` in a list, put there if it is not there yet.
template <class T>
size_t place_of(std::vector<T>& list, const T& value) {
  const auto found = std::find(list.begin(), list.end(), value);
  if (found != list.end()) return static_cast<size_t>(found - list.begin());
  list.push_back(value);
  return list.size() - 1;
}

struct RemoteBuffer {
  Rank rank = 0;
  BufferId buffer = BufferId::input;

  friend bool operator==(const RemoteBuffer&, const RemoteBuffer&) = default;
};

const char* letter(BufferId buffer) {
  constexpr const char* kLetters[] = {"i", "o", "s"};
  return kLetters[static_cast<size_t>(buffer)];
}

// One lane as a thread block.
class BlockWriter {
 public:
  BlockWriter(const Schedule& schedule, const MscclppLinks& links, LaneId at,
              std::vector<RemoteBuffer>& remote)
      : program_(schedule.program_view(at.rank)), links_(links), at_(at), remote_(remote) {
    uint32_t parts = 0;
    for (const ScratchBlock& block : program_.scratch) {
      scratch_at_.push_back(parts);
      parts += block.parts;
    }
  }

  Result<Json> write(size_t id) {
    begin();
    const auto& steps = program_.lanes[static_cast<size_t>(at_.lane)].steps;
    for (uint32_t i = 0; i < steps.size(); ++i) UNIRACK_TRY(add(steps[i], i));
    flush();
    if (operations_.size() > kOperationsMax || channels_.size() > kChannelsMax) {
      return make_error(
          Code::resource_exhausted,
          fmt::format("rank {} lane {} takes {} operations and {} channels: MSCCL++ takes at most "
                      "{} and {} of a thread block",
                      at_.rank, at_.lane, operations_.size(), channels_.size(), kOperationsMax,
                      kChannelsMax));
    }
    Json json{{"id", id}, {"ops", operations_}, {"channels", Json::array()}};
    if (!channels_.empty()) {
      json["channels"].push_back({{"channel_type", "memory"}, {"channel_ids", channels_}});
    }
    json["remote_buffer_refs"] = Json::array();
    if (!buffers_.empty()) {
      json["remote_buffer_refs"].push_back(
          {{"access_channel_type", "memory"}, {"remote_buffer_ids", buffers_}});
    }
    return json;
  }

 private:
  // Who may touch this rank's memory hears that it has begun; whom this lane touches is waited for.
  void begin() {
    for (const LaneId& visitor : links_.visitors(at_)) signal(visitor);
    flush();
    for (const Rank host : links_.hosts(at_)) wait({host, 0});
  }

  Status add(const Step& step, uint32_t index) {
    switch (step.op) {
      case Op::signal:
        for (const LaneId& reader : links_.readers(at_, index)) signal(reader);
        return ok_status();
      case Op::wait:
        if (const auto writer = links_.awaited(at_, index)) {
          flush();
          wait(*writer);
        }
        return ok_status();
      case Op::copy:
        return copy(step);
      case Op::reduce:
        return reduce(step);
    }
    return ok_status();
  }

  // Signals of a run of puts are sent behind all of them.
  void signal(const LaneId& reader) { pending_.push_back(reader); }

  void flush() {
    if (pending_.empty()) return;
    settle_data();
    std::vector<size_t> channels;
    std::vector<size_t> semaphores;
    const auto send = [&] {
      if (!channels.empty()) synchronise("signal", channels);
      if (!semaphores.empty()) release("sem_release", semaphores);
      channels.clear();
      semaphores.clear();
    };
    for (const LaneId& reader : pending_) {
      const bool is_local = reader.rank == at_.rank;
      auto& list = is_local ? semaphores : channels;
      const size_t id = is_local ? links_.semaphore(at_, reader) : channel(reader);
      // An operation names a channel once.
      const bool is_twice = std::find(list.begin(), list.end(), id) != list.end();
      if (is_twice || list.size() == kChannelsAtOnce) send();
      list.push_back(id);
    }
    send();
    pending_.clear();
  }

  void wait(const LaneId& writer) {
    settle_data();
    has_waited_ = true;
    if (writer.rank == at_.rank) return release("sem_acquire", {links_.semaphore(writer, at_)});
    const size_t id = channel(writer);
    Json* last = operations_.empty() ? nullptr : &operations_.back();
    if (last != nullptr && (*last)["name"] == "wait" &&
        (*last)["channel_ids"].size() < kChannelsAtOnce &&
        std::find((*last)["channel_ids"].begin(), (*last)["channel_ids"].end(), Json(id)) ==
            (*last)["channel_ids"].end()) {
      (*last)["channel_ids"].push_back(id);
      return;
    }
    synchronise("wait", {id});
  }

  size_t channel(const LaneId& other) { return place_of(channels_, links_.channel(at_, other)); }

  void synchronise(const char* name, const std::vector<size_t>& channels) {
    operations_.push_back({{"name", name}, {"channel_ids", channels}, {"channel_type", "memory"}});
  }
  void release(const char* name, const std::vector<size_t>& semaphores) {
    operations_.push_back({{"name", name}, {"semaphore_ids", semaphores}});
  }

  // All threads of the block have done what stands before.
  void settle() {
    if (!operations_.empty() && operations_.back()["name"] != "nop") {
      operations_.push_back({{"name", "nop"}});
    }
    has_moved_ = has_waited_ = false;
  }
  void settle_data() {
    if (has_moved_) settle();
  }

  Json chunk(const Step& step, const Slice& slice) {
    const uint32_t offset = step.begin - slice.origin;
    uint32_t index = slice.block * program_.chunks + offset;
    if (slice.buffer == BufferId::scratch) index = scratch_at_[slice.block] + offset;
    Json json;
    if (slice.rank == at_.rank) {
      json["type"] = letter(slice.buffer);
    } else {
      const size_t id = place_of(remote_, RemoteBuffer{slice.rank, slice.buffer});
      json["buffer_id"] = place_of(buffers_, id);
    }
    json["index"] = index;
    json["size"] = step.end - step.begin;
    return json;
  }

  Json sources(const Step& step, const std::vector<Slice>& slices) {
    Json list = Json::array();
    for (const Slice& slice : slices) list.push_back(chunk(step, slice));
    return list;
  }

  void move(const char* name, const Step& step, const std::vector<Slice>& from, bool is_remote) {
    Json json{{"name", name},
              {"src_buff", sources(step, from)},  // NOLINT: as the format names it
              {"dst_buff", Json::array({chunk(step, step.target)})}};  // NOLINT: as the format does
    if (is_remote) json["channel_type"] = "memory";
    if (from.size() > 1) json["reduce_op"] = "sum";
    operations_.push_back(std::move(json));
    has_moved_ = true;
  }

  Status copy(const Step& step) {
    const Slice& source = program_.sources[step.sources.first];
    const bool is_put = step.target.rank != at_.rank;
    const bool is_get = source.rank != at_.rank;
    // Puts follow each other; all else may need what stands before.
    if (!is_put) flush();
    if (has_waited_ || !is_put || last_was_local_) settle();
    move(is_put ? "put" : is_get ? "get" : "copy", step, {source}, is_put || is_get);
    last_was_local_ = !is_put;
    return ok_status();
  }

  Status reduce(const Step& step) {
    flush();
    std::vector<Slice> local;
    std::vector<Slice> remote;
    for (uint32_t i = 0; i < step.sources.count; ++i) {
      const Slice& source = program_.sources[step.sources.first + i];
      (source.rank == at_.rank ? local : remote).push_back(source);
    }
    if (local.empty()) {
      return make_error(Code::invalid_argument,
                        fmt::format("rank {} lane {} reduces only memory of others, which MSCCL++ "
                                    "does not",
                                    at_.rank, at_.lane));
    }
    // What is in the target comes first, so that it may be added to.
    std::stable_partition(local.begin(), local.end(),
                          [&](const Slice& slice) { return slice == step.target; });
    add_up(step, std::move(local), "re");
    if (remote.empty()) return ok_status();
    remote.insert(remote.begin(), step.target);
    add_up(step, std::move(remote), "rre");
    return ok_status();
  }

  void add_up(const Step& step, std::vector<Slice> terms, const char* name) {
    const bool is_remote = name == std::string_view("rre");
    while (true) {
      const size_t count = std::min(terms.size(), is_remote ? kChannelsAtOnce + 1 : kSourcesMax);
      std::vector<Slice> some(terms.begin(), terms.begin() + static_cast<ptrdiff_t>(count));
      settle();
      if (some.size() > 1) {
        move(name, step, some, is_remote);
      } else if (!(some[0] == step.target)) {
        move("copy", step, some, false);
      }
      last_was_local_ = true;
      terms.erase(terms.begin(), terms.begin() + static_cast<ptrdiff_t>(count));
      if (terms.empty()) return;
      terms.insert(terms.begin(), step.target);
    }
  }

  const Program& program_;
  const MscclppLinks& links_;
  const LaneId at_;
  std::vector<RemoteBuffer>& remote_;
  std::vector<uint32_t> scratch_at_;  // by block: its first chunk
  std::vector<Json> operations_;
  std::vector<size_t> channels_;  // of the rank, in the order of the thread block
  std::vector<size_t> buffers_;
  std::vector<LaneId> pending_;
  bool has_moved_ = false;
  bool has_waited_ = false;
  bool last_was_local_ = false;
};

Result<Json> gpu_json(const Schedule& schedule, const MscclppLinks& links, Rank rank) {
  const Program& program = schedule.program_view(rank);
  const Layout layout = schedule.layout();
  uint32_t scratch = 0;
  for (const ScratchBlock& block : program.scratch) scratch += block.parts;
  Json json{{"id", rank},
            {"input_chunks", layout.blocks(rank, BufferId::input) * program.chunks},
            {"output_chunks", layout.blocks(rank, BufferId::output) * program.chunks},
            {"scratch_chunks", scratch},
            {"threadblocks", Json::array()}};
  std::vector<RemoteBuffer> remote;
  for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
    BlockWriter writer(schedule, links, {rank, static_cast<int>(lane)}, remote);
    json["threadblocks"].push_back(UNIRACK_TRY(writer.write(lane)));
  }
  json["channels"] = Json::array();
  if (!links.peers(rank).empty()) {
    json["channels"].push_back({{"channel_type", "memory"}, {"connected_to", links.peers(rank)}});
  }
  json["remote_buffers"] = Json::array();
  for (const RemoteBuffer& buffer : remote) {
    json["remote_buffers"].push_back({{"rank", buffer.rank},
                                      {"type", letter(buffer.buffer)},
                                      {"access_channel_types", Json::array({"memory"})}});
  }
  const size_t semaphores = links.semaphore_count(rank);
  if (semaphores > kSemaphoresMax) {
    return make_error(Code::resource_exhausted,
                      fmt::format("rank {} takes {} semaphores between its lanes: MSCCL++ takes at "
                                  "most {}",
                                  rank, semaphores, kSemaphoresMax));
  }
  json["semaphores"] = Json::array();
  for (size_t i = 0; i < semaphores; ++i) json["semaphores"].push_back({{"init_value", 0}});
  return json;
}

}  // namespace

Result<std::string> schedule_to_mscclpp_json(const Schedule& schedule) {
  UNIRACK_TRY(check_well_formed(schedule));
  const ScheduleHeader& header = schedule.header();
  const auto name = mscclpp_name(header.collective);
  if (!name) {
    return make_error(Code::invalid_argument,
                      fmt::format("{} is no collective of MSCCL++: expected all_reduce, "
                                  "all_gather, reduce_scatter or all_to_all",
                                  collective_name(header.collective)));
  }
  const MscclppLinks links = UNIRACK_TRY(MscclppLinks::find(schedule));
  Json json{{"name", fmt::format("{}_{}", collective_name(header.collective), header.algorithm)},
            {"collective", *name},
            {"protocol", "Simple"},
            {"inplace", false},
            {"reuse_resources", false},
            {"gpus", Json::array()}};
  for (Rank rank = 0; rank < header.rank_count; ++rank) {
    json["gpus"].push_back(UNIRACK_TRY(gpu_json(schedule, links, rank)));
  }
  json["num_threads_per_block"] = 1024;
  json["use_double_scratch_buffer"] = false;
  json["buffer_alignment"] = 16;
  json["min_message_size"] = 0;
  json["max_message_size"] = UINT64_MAX;
  return json.dump(2) + "\n";
}

}  // namespace unirack
