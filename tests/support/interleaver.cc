#include "tests/support/interleaver.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "lib/base/random.h"
#include "tests/support/simulated_pool.h"

namespace unirack::testing {

namespace {

// Bytes on their way: read once, written once, in this order and otherwise whenever.
struct Transfer {
  Extent source;
  Extent target;
  std::vector<std::byte> bytes;
  bool is_read = false;
  bool has_landed = false;
  size_t open_at = 0;  // among those on their way

  void read() {
    if (is_read) return;
    bytes.assign(source.data, source.data + source.bytes);
    is_read = true;
  }
  void land() {
    read();
    if (!bytes.empty()) std::memcpy(target.data, bytes.data(), bytes.size());
    has_landed = true;
  }
};

// What a lane has sent to one peer and has not arrived: puts land in any order, but before the
// signals after them, and signals arrive in order.
struct Post {
  bool is_signal = false;
  uint64_t value = 0;
  size_t transfer = 0;
};

struct Worker {
  Rank rank = 0;
  const std::vector<Step>* steps = nullptr;
  uint64_t tile = 0;
  size_t next = 0;
  std::vector<size_t> gets;
  std::vector<size_t> puts;
  std::vector<std::deque<Post>> posts;  // by peer
  std::vector<uint32_t> signals;        // among them, by peer
  uint64_t pace = 1;
};

class Simulation {
 public:
  Simulation(const Schedule& schedule, const Interleaving& how)
      : schedule_(schedule), pool_(schedule, how), random_(how.seed) {
    const auto ranks = static_cast<size_t>(schedule.header().rank_count);
    lanes_ = static_cast<uint32_t>(schedule.program_view(0).lanes.size());
    has_entered_.assign(ranks, false);
    words_.assign(ranks * lanes_ * ranks, 0);
    lanes_done_.assign(ranks, 0);
    for (size_t i = 0; i < ranks * lanes_; ++i) {
      Worker& worker = workers_.emplace_back();
      worker.rank = static_cast<Rank>(i / lanes_);
      worker.steps = &schedule.program_view(worker.rank).lanes[i % lanes_].steps;
      if (is_done(worker)) ++lanes_done_[i / lanes_];
      worker.posts.resize(ranks);
      worker.signals.resize(ranks, 0);
      worker.pace = kPaces[random_() % kPaces.size()];
    }
    for (uint64_t& pace : kind_paces_) pace = kPaces[random_() % kPaces.size()];
    weights_.assign(ranks + workers_.size() * (1 + ranks), 0);
    for (size_t rank = 0; rank < ranks; ++rank) weigh(rank, pace_of(rank, Kind::enter));
  }

  std::string run() {
    while (act()) {
      if (!failure_.empty()) return failure_;
    }
    if (!failure_.empty()) return failure_;
    return left_ == has_entered_.size() ? pool_.check() : "nobody can go on";
  }

 private:
  static constexpr std::array<uint64_t, 4> kPaces = {1, 10, 50, 250};
  enum class Kind : uint8_t { enter, leave, step, deliver, transfer };

  // What may happen next has a weight: a rank that enters or leaves, then a worker's step, then its
  // signal to a peer. Transfers are all alike, and counted.
  void weigh(size_t action, uint64_t weight) {
    total_ += weight - weights_[action];
    weights_[action] = weight;
  }
  uint64_t pace_of(size_t rank, Kind kind) const {
    return workers_[rank * lanes_].pace * kind_paces_[static_cast<size_t>(kind)];
  }
  size_t step_of(size_t worker) const { return has_entered_.size() + worker; }
  size_t deliver_of(size_t worker, size_t peer) const {
    return step_of(workers_.size()) + worker * has_entered_.size() + peer;
  }

  bool act() {
    const uint64_t transfer = kPaces[2] * kind_paces_[static_cast<size_t>(Kind::transfer)];
    const uint64_t all = total_ + transfer * open_.size();
    if (all == 0) return false;
    uint64_t pick = random_() % all;
    if (pick >= total_) {
      progress(open_[(pick - total_) / transfer]);
      return true;
    }
    size_t action = 0;
    while (pick >= weights_[action]) pick -= weights_[action++];
    perform(action);
    return true;
  }

  bool is_done(const Worker& worker) const {
    return worker.steps->empty() || worker.tile == pool_.tiles();
  }

  bool can_step(const Worker& worker) const {
    if (!has_entered_[static_cast<size_t>(worker.rank)] || is_done(worker)) return false;
    const Step& step = (*worker.steps)[worker.next];
    if (step.op != Op::wait) return true;
    if (step.value.v == 0) return has_entered_[static_cast<size_t>(step.peer)];
    if (step.value.tiles_back > worker.tile) return true;
    const uint64_t value = total(worker.tile - step.value.tiles_back, step.value.v);
    return word(static_cast<size_t>(step.peer) * lanes_ + step.peer_lane, worker.rank) >= value;
  }

  uint64_t total(uint64_t tile, uint32_t v) const {
    return tile * schedule_.program_view(0).values_per_tile + v;
  }
  uint64_t& word(size_t writer, Rank reader) {
    return words_[writer * has_entered_.size() + static_cast<size_t>(reader)];
  }
  uint64_t word(size_t writer, Rank reader) const {
    return words_[writer * has_entered_.size() + static_cast<size_t>(reader)];
  }

  void look_at_step(size_t worker) {
    const uint64_t pace = workers_[worker].pace * kind_paces_[static_cast<size_t>(Kind::step)];
    weigh(step_of(worker), can_step(workers_[worker]) ? pace : 0);
  }
  void look_at_leaving(size_t rank) {
    const bool may_leave = entered_ == has_entered_.size() && lanes_done_[rank] == lanes_;
    if (may_leave) weigh(rank, pace_of(rank, Kind::leave));
  }

  void perform(size_t action) {
    const size_t ranks = has_entered_.size();
    if (action < ranks) {
      weigh(action, 0);
      return has_entered_[action] ? leave(action) : enter(action);
    }
    const size_t other = action - ranks;
    if (other >= workers_.size()) {
      const size_t signal = other - workers_.size();
      return deliver(signal / ranks, signal % ranks);
    }
    step(other);
    look_at_step(other);
  }

  void enter(size_t rank) {
    has_entered_[rank] = true;
    ++entered_;
    for (size_t i = 0; i < workers_.size(); ++i) look_at_step(i);
    for (size_t i = 0; entered_ == has_entered_.size() && i < entered_; ++i) look_at_leaving(i);
    pool_.enter(static_cast<Rank>(rank));
  }

  void leave(size_t rank) {
    for (size_t lane = 0; lane < lanes_; ++lane) {
      finish_gets(workers_[rank * lanes_ + lane]);
      finish_reads(workers_[rank * lanes_ + lane]);
    }
    ++left_;
    pool_.leave(static_cast<Rank>(rank));
  }

  void progress(size_t index) {
    Transfer& transfer = transfers_[index];
    if (!transfer.is_read && random_() % 2 == 0) return transfer.read();
    land(index);
  }

  void land(size_t index) {
    Transfer& transfer = transfers_[index];
    if (transfer.has_landed) return;
    transfer.land();
    open_[transfer.open_at] = open_.back();
    transfers_[open_.back()].open_at = transfer.open_at;
    open_.pop_back();
  }

  void finish_gets(Worker& worker) {
    std::shuffle(worker.gets.begin(), worker.gets.end(), random_);
    for (const size_t get : worker.gets) land(get);
    worker.gets.clear();
  }
  void finish_reads(Worker& worker) {
    for (const size_t put : worker.puts) transfers_[put].read();
    worker.puts.clear();
  }

  void deliver(size_t index, size_t peer) {
    auto& posts = workers_[index].posts[peer];
    std::vector<size_t> ahead;
    while (!posts.front().is_signal) {
      ahead.push_back(posts.front().transfer);
      posts.pop_front();
    }
    std::shuffle(ahead.begin(), ahead.end(), random_);
    for (const size_t transfer : ahead) land(transfer);
    word(index, static_cast<Rank>(peer)) = posts.front().value;
    posts.pop_front();
    if (--workers_[index].signals[peer] == 0) weigh(deliver_of(index, peer), 0);
    for (size_t lane = 0; lane < lanes_; ++lane) look_at_step(peer * lanes_ + lane);
  }

  void step(size_t index) {
    Worker& worker = workers_[index];
    const Step& step = (*worker.steps)[worker.next];
    if (step.op != Op::copy) finish_gets(worker);
    if (step.op == Op::signal) {
      worker.posts[static_cast<size_t>(step.peer)].push_back(
          {true, total(worker.tile, step.value.v), 0});
      ++worker.signals[static_cast<size_t>(step.peer)];
      weigh(deliver_of(index, static_cast<size_t>(step.peer)),
            worker.pace * kind_paces_[static_cast<size_t>(Kind::deliver)]);
    } else if (step.op == Op::copy || step.op == Op::reduce) {
      move(worker, step);
    }
    if (++worker.next < worker.steps->size()) return;
    worker.next = 0;
    ++worker.tile;
    if (!is_done(worker)) return;
    ++lanes_done_[static_cast<size_t>(worker.rank)];
    look_at_leaving(static_cast<size_t>(worker.rank));
  }

  void move(Worker& worker, const Step& step) {
    const Program& program = schedule_.program_view(worker.rank);
    if (step.target.rank == worker.rank) finish_reads(worker);
    const Extent target = pool_.find(step.target, worker.tile, step.begin, step.end);
    std::vector<Extent> sources;
    for (uint32_t i = 0; i < step.sources.count; ++i) {
      sources.push_back(
          pool_.find(program.sources[step.sources.first + i], worker.tile, step.begin, step.end));
      if (sources.back().data == nullptr) failure_ = "a source leaves its buffer";
    }
    if (target.data == nullptr) failure_ = "a target leaves its buffer";
    if (!failure_.empty()) return;
    if (step.op == Op::reduce) return pool_.reduce(target, sources);
    const Rank source_rank = program.sources[step.sources.first].rank;
    if (source_rank == worker.rank && step.target.rank == worker.rank) {
      std::memmove(target.data, sources[0].data, target.bytes);
      return;
    }
    // In two pieces, which may go different ways.
    const uint64_t cut = target.bytes > 1 ? random_() % target.bytes : 0;
    for (const auto& [from, to] : {std::pair(uint64_t{0}, cut), std::pair(cut, target.bytes)}) {
      if (from == to) continue;
      send(worker, step, piece(sources[0], from, to), piece(target, from, to));
    }
  }

  static Extent piece(const Extent& whole, uint64_t from, uint64_t to) {
    return {whole.data + from, to - from, whole.form};
  }

  void send(Worker& worker, const Step& step, const Extent& source, const Extent& target) {
    const size_t index = transfers_.size();
    transfers_.push_back({source, target, {}, false, false, open_.size()});
    open_.push_back(index);
    if (step.target.rank == worker.rank) {
      worker.gets.push_back(index);
    } else {
      worker.puts.push_back(index);
      worker.posts[static_cast<size_t>(step.target.rank)].push_back({false, 0, index});
    }
  }

  const Schedule& schedule_;
  SimulatedPool pool_;
  Random random_;
  uint32_t lanes_ = 1;
  std::vector<bool> has_entered_;
  size_t entered_ = 0;
  size_t left_ = 0;
  std::vector<uint32_t> lanes_done_;  // by rank
  std::vector<uint64_t> words_;       // by writing worker and reader
  std::vector<Worker> workers_;
  std::array<uint64_t, 5> kind_paces_{};
  std::vector<uint64_t> weights_;  // by action
  uint64_t total_ = 0;             // of them
  std::vector<Transfer> transfers_;
  std::vector<size_t> open_;
  std::string failure_;
};

}  // namespace

std::string interleave(const Schedule& schedule, const Interleaving& how) {
  return Simulation(schedule, how).run();
}

Schedule with_tile_count(const Schedule& schedule, uint32_t tiles, Interleaving& how) {
  ScheduleHeader header = schedule.header();
  const uint64_t element = unirack::size_of(how.type);
  const uint64_t per_tile = header.chunks + header.chunks / 2 + 1;
  how.count = per_tile * tiles - (tiles > 1 ? 1 : 0);
  header.granule_bytes = static_cast<uint32_t>(element);
  header.tile_bytes = tiles == 1 ? 0 : per_tile * element;
  std::vector<Program> programs;
  for (Rank rank = 0; rank < header.rank_count; ++rank) programs.push_back(schedule.program(rank));
  return {std::move(header), std::move(programs)};
}

}  // namespace unirack::testing
