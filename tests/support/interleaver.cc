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
  uint32_t lane = 0;
  uint64_t tile = 0;
  size_t next = 0;
  std::vector<size_t> gets;
  std::vector<size_t> puts;
  std::vector<std::deque<Post>> posts;  // by peer
  std::vector<uint32_t> signals;        // among them, by peer
  uint32_t signal_count = 0;
};

class Simulation {
 public:
  Simulation(const Schedule& schedule, const Interleaving& how)
      : schedule_(schedule), pool_(schedule, how), random_(how.seed) {
    const auto ranks = static_cast<size_t>(schedule.header().rank_count);
    lanes_ = static_cast<uint32_t>(schedule.program_view(0).lanes.size());
    has_entered_.assign(ranks, false);
    has_left_.assign(ranks, false);
    words_.assign(ranks * lanes_ * ranks, 0);
    for (size_t i = 0; i < ranks * lanes_; ++i) {
      Worker& worker = workers_.emplace_back();
      worker.rank = static_cast<Rank>(i / lanes_);
      worker.lane = static_cast<uint32_t>(i % lanes_);
      worker.posts.resize(ranks);
      worker.signals.resize(ranks, 0);
      pace_.push_back(kPaces[random_() % kPaces.size()]);
    }
    for (double& pace : kind_pace_) pace = kPaces[random_() % kPaces.size()];
    transfer_pace_ = kPaces[random_() % kPaces.size()];
  }

  std::string run() {
    while (act()) {
      if (!failure_.empty()) return failure_;
    }
    const bool all_left = std::all_of(has_left_.begin(), has_left_.end(), [](bool x) { return x; });
    if (!failure_.empty()) return failure_;
    return all_left ? pool_.check() : "nobody can go on";
  }

 private:
  static constexpr std::array<double, 4> kPaces = {0.02, 0.2, 1, 5};
  enum class Kind : uint8_t { enter, leave, step, deliver };
  struct Action {
    Kind kind = Kind::step;
    size_t index = 0;
    size_t peer = 0;
    double weight = 1;
  };

  bool act() {
    actions_.clear();
    find_actions();
    if (actions_.empty() && open_.empty()) return false;
    // Transfers are all alike: they need no list of their own.
    double total = transfer_pace_ * static_cast<double>(open_.size());
    for (const Action& action : actions_) total += action.weight;
    double pick = random_.unit() * total;
    size_t chosen = 0;
    while (chosen < actions_.size() && pick >= actions_[chosen].weight) {
      pick -= actions_[chosen++].weight;
    }
    if (chosen < actions_.size()) {
      perform(Action(actions_[chosen]));
    } else if (open_.empty()) {
      perform(Action(actions_.back()));
    } else {
      progress(open_[std::min(static_cast<size_t>(pick / transfer_pace_), open_.size() - 1)]);
    }
    return true;
  }

  void add(Kind kind, size_t index, size_t peer, double pace) {
    actions_.push_back({kind, index, peer, pace * kind_pace_[static_cast<size_t>(kind)]});
  }

  void find_actions() {
    for (size_t i = 0; i < has_entered_.size(); ++i) {
      if (!has_entered_[i]) add(Kind::enter, i, 0, pace_[i * lanes_]);
      if (!has_left_[i] && may_leave(i)) add(Kind::leave, i, 0, pace_[i * lanes_]);
    }
    for (size_t i = 0; i < workers_.size(); ++i) {
      const Worker& worker = workers_[i];
      if (is_ready(worker)) add(Kind::step, i, 0, pace_[i]);
      for (size_t peer = 0; worker.signal_count > 0 && peer < worker.signals.size(); ++peer) {
        if (worker.signals[peer] > 0) add(Kind::deliver, i, peer, pace_[i]);
      }
    }
  }

  const std::vector<Step>& steps(const Worker& worker) const {
    return schedule_.program_view(worker.rank).lanes[worker.lane].steps;
  }
  bool is_done(const Worker& worker) const {
    return steps(worker).empty() || worker.tile == pool_.tiles();
  }

  bool is_ready(const Worker& worker) const {
    if (!has_entered_[static_cast<size_t>(worker.rank)] || is_done(worker)) return false;
    const Step& step = steps(worker)[worker.next];
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

  bool may_leave(size_t rank) const {
    if (!std::all_of(has_entered_.begin(), has_entered_.end(), [](bool x) { return x; })) {
      return false;
    }
    for (size_t lane = 0; lane < lanes_; ++lane) {
      if (!is_done(workers_[rank * lanes_ + lane])) return false;
    }
    return true;
  }

  void perform(const Action& action) {
    switch (action.kind) {
      case Kind::enter:
        has_entered_[action.index] = true;
        return pool_.enter(static_cast<Rank>(action.index));
      case Kind::leave:
        for (size_t lane = 0; lane < lanes_; ++lane) {
          finish_gets(workers_[action.index * lanes_ + lane]);
          finish_reads(workers_[action.index * lanes_ + lane]);
        }
        has_left_[action.index] = true;
        return pool_.leave(static_cast<Rank>(action.index));
      case Kind::step:
        return step(workers_[action.index]);
      case Kind::deliver:
        return deliver(action.index, action.peer);
    }
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
    --workers_[index].signals[peer];
    --workers_[index].signal_count;
  }

  void step(Worker& worker) {
    const Step& step = steps(worker)[worker.next];
    if (step.op != Op::copy) finish_gets(worker);
    if (step.op == Op::signal) {
      worker.posts[static_cast<size_t>(step.peer)].push_back(
          {true, total(worker.tile, step.value.v), 0});
      ++worker.signals[static_cast<size_t>(step.peer)];
      ++worker.signal_count;
    } else if (step.op == Op::copy || step.op == Op::reduce) {
      move(worker, step);
    }
    if (++worker.next == steps(worker).size()) {
      worker.next = 0;
      ++worker.tile;
    }
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
  std::vector<bool> has_left_;
  std::vector<uint64_t> words_;  // by writing worker and reader
  std::vector<Worker> workers_;
  std::vector<double> pace_;  // by worker
  std::array<double, 4> kind_pace_{};
  double transfer_pace_ = 1;
  std::vector<Transfer> transfers_;
  std::vector<size_t> open_;
  std::vector<Action> actions_;
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
