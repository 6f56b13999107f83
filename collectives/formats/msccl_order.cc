#include "collectives/formats/msccl_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <tuple>
#include <utility>

namespace unirack {

namespace {

using Clock = std::vector<uint32_t>;  // by thread: its steps up to this one are done

constexpr size_t kClockWordsMax = size_t{1} << 26;  // of all clocks together

struct Thread {
  uint32_t gpu = 0;
  uint32_t block = 0;
  uint32_t next = 0;
  bool is_queued = false;
};

struct Message {
  uint32_t count = 0;
  Clock clock;
};

// From a GPU to another over a channel.
struct Connection {
  int64_t sender = -1;    // thread
  int64_t receiver = -1;  // thread
  std::deque<Message> waiting;
};

struct Announcement {
  uint32_t step = 0;
  Clock clock;
};

struct Access {
  uint32_t thread = 0;
  uint32_t number = 0;  // of the thread's steps, from 1
};

struct ChunkAccesses {
  bool is_written = false;
  Access write;
  std::vector<Access> reads;  // since
};

class MscclRun {
 public:
  MscclRun(const MscclAlgorithm& algorithm, std::string_view text)
      : algorithm_(algorithm), text_(text) {}

  Result<std::vector<MscclEvent>> run() {
    UNIRACK_TRY(begin());
    while (!ready_.empty()) {
      const uint32_t thread = ready_.front();
      ready_.pop_front();
      threads_[thread].is_queued = false;
      if (UNIRACK_TRY(advance(thread))) wake(thread);
    }
    UNIRACK_TRY(check_end());
    return std::move(order_);
  }

 private:
  Status begin() {
    for (uint32_t gpu = 0; gpu < algorithm_.gpus.size(); ++gpu) {
      first_thread_.push_back(static_cast<uint32_t>(threads_.size()));
      const auto& blocks = algorithm_.gpus[gpu].blocks;
      for (uint32_t block = 0; block < blocks.size(); ++block) threads_.push_back({gpu, block});
    }
    const size_t count = threads_.size();
    if (count * count > kClockWordsMax / 2) return too_large();
    words_ = count * count;
    clocks_.assign(count, Clock(count, 0));
    announced_.resize(count);
    followers_.resize(count);
    for (uint32_t i = 0; i < count; ++i) {
      UNIRACK_TRY(connect(i));
      wake(i);
    }
    return ok_status();
  }

  Status connect(uint32_t thread) {
    const MscclBlock& block = block_of(thread);
    const auto gpu = static_cast<int32_t>(threads_[thread].gpu);
    if (block.send >= 0) {
      Connection& connection = connections_[{gpu, block.send, block.channel}];
      if (connection.sender >= 0) return doubled(thread, "sends", block.send);
      connection.sender = thread;
    }
    if (block.receive >= 0) {
      Connection& connection = connections_[{block.receive, gpu, block.channel}];
      if (connection.receiver >= 0) return doubled(thread, "receives", block.receive);
      connection.receiver = thread;
    }
    return ok_status();
  }

  Error doubled(uint32_t thread, const char* what, int32_t peer) const {
    const Thread& at = threads_[thread];
    return make_error(Code::invalid_argument,
                      fmt::format("gpu {}, tb {}: expected one tb that {} over channel {} (peer "
                                  "{}), found a second",
                                  at.gpu, at.block, what, block_of(thread).channel, peer));
  }

  const MscclBlock& block_of(uint32_t thread) const {
    const Thread& at = threads_[thread];
    return algorithm_.gpus[at.gpu].blocks[at.block];
  }
  Connection& outgoing(uint32_t thread) {
    const MscclBlock& block = block_of(thread);
    return connections_[{static_cast<int32_t>(threads_[thread].gpu), block.send, block.channel}];
  }
  Connection& incoming(uint32_t thread) {
    const MscclBlock& block = block_of(thread);
    return connections_[{block.receive, static_cast<int32_t>(threads_[thread].gpu), block.channel}];
  }

  void wake(uint32_t thread) {
    if (threads_[thread].is_queued || threads_[thread].next == block_of(thread).steps.size()) {
      return;
    }
    threads_[thread].is_queued = true;
    ready_.push_back(thread);
  }

  Error wrong(uint32_t thread, uint32_t step, std::string_view why) const {
    return algorithm_.error(text_, threads_[thread].gpu, threads_[thread].block, step, why);
  }
  static Error too_large() {
    return make_error(Code::resource_exhausted,
                      "has so many thread blocks and messages that it cannot be checked");
  }

  // What announced `step` of that thread, or a later one; null: nothing yet.
  const Announcement* announcement(uint32_t thread, int32_t step) const {
    const auto& all = announced_[thread];
    const auto found = std::lower_bound(
        all.begin(), all.end(), static_cast<uint32_t>(step),
        [](const Announcement& each, uint32_t least) { return each.step < least; });
    return found == all.end() ? nullptr : &*found;
  }

  // Runs the next step; false: it has to wait.
  Result<bool> advance(uint32_t thread) {
    Thread& at = threads_[thread];
    const MscclStep& step = block_of(thread).steps[at.next];
    Clock& clock = clocks_[thread];
    const Announcement* before = nullptr;
    if (step.after_block >= 0) {
      const uint32_t other = first_thread_[at.gpu] + static_cast<uint32_t>(step.after_block);
      before = announcement(other, step.after_step);
      if (before == nullptr) {
        followers_[other].push_back(thread);
        return false;
      }
    }
    if (receives(step.op)) {
      Connection& from = incoming(thread);
      if (from.waiting.empty()) return false;
      const Message& message = from.waiting.front();
      if (message.count != step.count) {
        return wrong(thread, at.next,
                     fmt::format("expected as many chunks as were sent, {}, found {}",
                                 message.count, step.count));
      }
      merge(clock, message.clock);
      words_ -= clock.size();
      from.waiting.pop_front();
    }
    if (before != nullptr) merge(clock, before->clock);
    clock[thread] = at.next + 1;
    UNIRACK_TRY(note_accesses(thread, step));
    order_.push_back({at.gpu, at.block, at.next});
    UNIRACK_TRY(tell_others(thread, step));
    ++at.next;
    return true;
  }

  Status tell_others(uint32_t thread, const MscclStep& step) {
    if (sends(step.op)) {
      Connection& to = outgoing(thread);
      words_ += clocks_[thread].size();
      to.waiting.push_back({step.count, clocks_[thread]});
      if (to.receiver >= 0) wake(static_cast<uint32_t>(to.receiver));
    }
    if (step.announces) {
      words_ += clocks_[thread].size();
      announced_[thread].push_back({threads_[thread].next, clocks_[thread]});
      for (const uint32_t follower : std::exchange(followers_[thread], {})) wake(follower);
    }
    return words_ > kClockWordsMax ? Status(too_large()) : ok_status();
  }

  static void merge(Clock& into, const Clock& other) {
    for (size_t i = 0; i < into.size(); ++i) into[i] = std::max(into[i], other[i]);
  }

  Status note_accesses(uint32_t thread, const MscclStep& step) {
    for (uint32_t i = 0; i < step.count; ++i) {
      if (reads_source(step.op)) UNIRACK_TRY(note(thread, step.source, i, false));
      // A reduction adds to its target.
      if (step.op == MscclOp::reduce) UNIRACK_TRY(note(thread, step.target, i, false));
      if (writes_target(step.op)) UNIRACK_TRY(note(thread, step.target, i, true));
    }
    return ok_status();
  }

  Status note(uint32_t thread, MscclPlace place, uint32_t index, bool writes) {
    const Thread& at = threads_[thread];
    place.chunk += index;
    place = algorithm_.own_place(static_cast<Rank>(at.gpu), place);
    ChunkAccesses& chunk = chunks_[{at.gpu, place.buffer, place.chunk}];
    const Access own{thread, at.next + 1};
    if (chunk.is_written) UNIRACK_TRY(check_before(thread, chunk.write, place));
    if (writes) {
      for (const Access& read : chunk.reads) UNIRACK_TRY(check_before(thread, read, place));
      chunk.is_written = true;
      chunk.write = own;
      chunk.reads.clear();
      return ok_status();
    }
    for (Access& read : chunk.reads) {
      if (read.thread != thread) continue;
      read = own;
      return ok_status();
    }
    chunk.reads.push_back(own);
    return ok_status();
  }

  Status check_before(uint32_t thread, const Access& earlier, const MscclPlace& place) const {
    if (clocks_[thread][earlier.thread] >= earlier.number) return ok_status();
    constexpr std::string_view kBuffers[] = {"i", "o", "s"};
    return wrong(thread, threads_[thread].next,
                 fmt::format("expected a dependence between it and tb {} step {}, which touches {} "
                             "{} too: they race",
                             threads_[earlier.thread].block, earlier.number - 1,
                             kBuffers[static_cast<size_t>(place.buffer)], place.chunk));
  }

  Status check_end() {
    for (uint32_t thread = 0; thread < threads_.size(); ++thread) {
      const Thread& at = threads_[thread];
      const auto& steps = block_of(thread).steps;
      if (at.next == steps.size()) continue;
      const MscclStep& step = steps[at.next];
      const bool waits_inside =
          step.after_block >= 0 &&
          announcement(first_thread_[at.gpu] + static_cast<uint32_t>(step.after_block),
                       step.after_step) == nullptr;
      return wrong(thread, at.next,
                   waits_inside
                       ? fmt::format("waits for ever: tb {} never announces step {} or a later one",
                                     step.after_block, step.after_step)
                       : fmt::format("waits for ever: gpu {} sends too little over channel {}",
                                     block_of(thread).receive, block_of(thread).channel));
    }
    for (const auto& [key, connection] : connections_) {
      if (connection.waiting.empty()) continue;
      return make_error(
          Code::invalid_argument,
          fmt::format("gpu {} sends more to gpu {} over channel {} than is received: expected {} "
                      "messages fewer",
                      std::get<0>(key), std::get<1>(key), std::get<2>(key),
                      connection.waiting.size()));
    }
    return ok_status();
  }

  const MscclAlgorithm& algorithm_;
  const std::string_view text_;
  std::vector<uint32_t> first_thread_;  // by GPU
  std::vector<Thread> threads_;
  std::vector<Clock> clocks_;
  std::vector<std::vector<Announcement>> announced_;  // by thread, ascending
  std::vector<std::vector<uint32_t>> followers_;      // by thread: who waits for it
  std::map<std::tuple<int32_t, int32_t, int32_t>, Connection> connections_;
  std::map<std::tuple<uint32_t, BufferId, uint32_t>, ChunkAccesses> chunks_;
  std::deque<uint32_t> ready_;
  std::vector<MscclEvent> order_;
  size_t words_ = 0;
};

}  // namespace

Result<std::vector<MscclEvent>> order_msccl(const MscclAlgorithm& algorithm,
                                            std::string_view text) {
  return MscclRun(algorithm, text).run();
}

}  // namespace unirack
