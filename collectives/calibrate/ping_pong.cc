#include "collectives/calibrate/ping_pong.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "collectives/executor.h"

namespace unirack {

namespace {

// The scratch of a rank while it measures: words that its peer sets, what comes in, and in the
// second half what goes out.
constexpr uint64_t kLine = 64;
constexpr uint64_t kAnswerWord = 1024;  // before it a word a path
constexpr uint64_t kIdleWord = 2048;    // of messages that nobody waits for
constexpr uint64_t kDataAt = 4096;

constexpr std::array<uint64_t, 7> kSizes = {4 << 10,   16 << 10,  64 << 10, 128 << 10,
                                            256 << 10, 512 << 10, 1 << 20};
constexpr std::array<uint32_t, 2> kBursts = {8, 64};
constexpr int kPasses = 12;
constexpr int kPassesMin = 4;  // for which there has to be time
constexpr int kEmptyOfPass = 40;
constexpr int kBurstsOfPass = 2;
constexpr int kWarmUps = 16;
constexpr int kTurnsPerLook = 64;
// Less than an engine spins: two ranks on one core of a busy machine then look less like a slow
// link.
constexpr auto kSpin = microseconds(2);
constexpr Token kAnswerToken = make_token({0, 0, TokenKind::put});

uint64_t to_ps(Duration duration) {
  return static_cast<uint64_t>(nanoseconds(duration).count()) * 1'000;
}

}  // namespace

PingPong::PingPong(const Fabric& fabric, const ControlPlane& control, Rank peer, uint32_t turn,
                   Deadline deadline)
    : fabric_(fabric),
      control_(control),
      link_(fabric.links[static_cast<size_t>(peer)]),
      transport_(*fabric.transports[link_.transport].transport),
      peer_(peer),
      turn_(turn),
      deadline_(deadline) {}

// Rises with every round of every turn, so that no word of an earlier one is mistaken for it.
uint64_t PingPong::value_of(Command command) const {
  return (uint64_t{turn_} << 40 | round_) << 2 | static_cast<uint64_t>(command);
}

uint64_t PingPong::word(uint64_t offset) const {
  auto* at = reinterpret_cast<uint64_t*>(fabric_.scratch.data() + offset);
  return std::atomic_ref<uint64_t>(*at).load(std::memory_order_acquire);
}

size_t PingPong::path_count() const {
  return std::min<size_t>(link_.paths.size(), kAnswerWord / kLine);
}

// Bytes that may come in, or go out, at once.
uint64_t PingPong::room() const { return fabric_.scratch.size() / 2 - kDataAt; }

// One message over one path, each path to a place of its own. From round to round places move on,
// as the tiles of plans do, so that caches hold no more than they would of those.
Status PingPong::post(size_t path, uint64_t bytes, uint64_t word_offset, uint64_t value,
                      Token token) {
  const Remote& remote = link_.scratch[path];
  const uint64_t all = bytes * path_count();
  const uint64_t places = all == 0 ? 1 : room() / all;
  const uint64_t place = round_ % places * all + path * bytes;
  std::byte* const source = fabric_.scratch.data() + fabric_.scratch.size() / 2 + place;
  const Copy copy{source, remote, kDataAt + place, bytes};
  const Signal signal{remote, word_offset, value};
  return wait_until(
      [&] { return link_.paths[path]->put(std::span(&copy, 1), &signal, token) == 1; });
}

// Whether anything moved.
Result<bool> PingPong::poll() {
  std::array<Completion, 16> completions;
  const size_t count = transport_.poll(completions);
  for (size_t i = 0; i < count; ++i) {
    const Completion& each = completions[i];
    if (!each.status) {
      Error error = each.status.error();
      const TokenParts token = split_token(each.token);
      error.code = Code::peer_failed;
      error.culprit = token.kind == TokenKind::connect ? static_cast<Rank>(token.operation) : peer_;
      error.detail = "while links were measured: " + error.detail;
      return error;
    }
    is_sent_ |= each.token == kAnswerToken;
  }
  return count > 0;
}

// What a waiter does besides: it spins at first, since the peer is about to answer, then lets
// others run.
Status PingPong::stand_still(int turns, TimePoint& since) {
  if (turns % kTurnsPerLook != 0) {
    __builtin_ia32_pause();
    return ok_status();
  }
  if (const Verdict* verdict = control_.verdict(); verdict != nullptr) return verdict->error;
  const TimePoint at = now();
  if (since == TimePoint()) since = at;
  if (at >= deadline_) {
    return make_error(Code::timeout,
                      "rank " + std::to_string(peer_) + " did not answer while links were measured",
                      peer_);
  }
  if (at - since > kSpin) std::this_thread::yield();
  return ok_status();
}

template <class IsTrue>
Status PingPong::wait_until(const IsTrue& is_true) {
  TimePoint since;
  for (int turns = 1; !is_true(); ++turns) {
    if (UNIRACK_TRY(poll())) since = TimePoint();
    UNIRACK_TRY(stand_still(turns, since));
  }
  return ok_status();
}

// One round: messages of `bytes` in all, the last of which the peer answers.
Result<uint64_t> PingPong::time_ps(Command command, uint32_t messages, uint64_t bytes) {
  ++round_;
  const uint64_t value = value_of(command);
  const size_t paths = command == Command::all_paths ? path_count() : 1;
  const TimePoint begin = now();
  for (uint32_t i = 1; i < messages; ++i) UNIRACK_TRY(post(0, 0, kIdleWord, value, kNoToken));
  for (size_t path = 0; path < paths; ++path) {
    UNIRACK_TRY(post(path, bytes / paths, path * kLine, value, kNoToken));
  }
  UNIRACK_TRY(wait_until([&] { return word(kAnswerWord) == value; }));
  return to_ps(now() - begin);
}

Status PingPong::warm_up(Deadline until) {
  for (int i = 0; i < kWarmUps && !expired(until); ++i) {
    UNIRACK_TRY(time_ps(Command::one_path, 1, 0));
  }
  return ok_status();
}

Result<uint64_t> PingPong::time_size(size_t index) {
  const auto rails = fabric_.topology.link(fabric_.rank, peer_).rail_count;
  const uint64_t elapsed = UNIRACK_TRY(time_ps(Command::all_paths, 1, kSizes[index]));
  trips_.push_back({1, kSizes[index] / std::clamp<uint64_t>(rails, 1, path_count()), elapsed});
  return elapsed;
}

// As many sizes as there is time for a few times, two at the least.
Status PingPong::find_sizes(Duration time) {
  const Deadline until = deadline_in(time / 2);
  uint64_t pass_ps = 0;
  uint64_t last_ps = 0;
  for (; size_count_ < kSizes.size() && kSizes[size_count_] <= room(); ++size_count_) {
    if (size_count_ >= 2) {
      const uint64_t next_ps = last_ps * (kSizes[size_count_] / kSizes[size_count_ - 1]);
      if ((pass_ps + next_ps) * kPassesMin > to_ps(time) || expired(until)) break;
    }
    last_ps = UNIRACK_TRY(time_size(size_count_));
    pass_ps += last_ps;
  }
  return ok_status();
}

// Everything in turn, again and again: what disturbs for a while then disturbs a few of each kind.
// Ends in time wherever it is, once there is something of everything.
Status PingPong::time_all(Deadline until) {
  const Duration share = std::max(Duration(0), until - now()) / (4 * kPasses);
  for (int pass = 0; pass < kPasses; ++pass) {
    const Deadline empty_until = std::min(until, deadline_in(share));
    for (int i = 0; i < kEmptyOfPass && (pass + i == 0 || !expired(empty_until)); ++i) {
      trips_.push_back({1, 0, UNIRACK_TRY(time_ps(Command::one_path, 1, 0))});
    }
    for (const uint32_t messages : kBursts) {
      for (int i = 0; i < kBurstsOfPass && (pass + i == 0 || !expired(until)); ++i) {
        const uint64_t elapsed = UNIRACK_TRY(time_ps(Command::one_path, messages, 0));
        trips_.push_back({messages, 0, elapsed});
      }
    }
    for (size_t i = 0; i < size_count_ && !expired(until); ++i) UNIRACK_TRY(time_size(i));
    if (expired(until)) break;
  }
  return ok_status();
}

Result<std::vector<RoundTrip>> PingPong::lead(Duration time) {
  const TimePoint begin = now();
  UNIRACK_TRY(warm_up(begin + time / 16));
  UNIRACK_TRY(find_sizes(time));
  UNIRACK_TRY(time_all(begin + time));
  UNIRACK_TRY(time_ps(Command::stop, 1, 0));
  return std::move(trips_);
}

Status PingPong::follow() {
  constexpr uint64_t kCommandMask = 3;
  while (true) {
    ++round_;
    const uint64_t expected = value_of(Command::one_path) & ~kCommandMask;
    const auto has_come = [&](size_t path) {
      return (word(path * kLine) & ~kCommandMask) == expected;
    };
    UNIRACK_TRY(wait_until([&] { return has_come(0); }));
    const auto command = static_cast<Command>(word(0) & kCommandMask);
    const size_t paths = command == Command::all_paths ? path_count() : 1;
    for (size_t path = 1; path < paths; ++path) {
      UNIRACK_TRY(wait_until([&] { return has_come(path); }));
    }
    const bool is_last = command == Command::stop;
    // The last answer has to leave by itself: nobody polls here until the engine does.
    UNIRACK_TRY(post(0, 0, kAnswerWord, value_of(command), is_last ? kAnswerToken : kNoToken));
    if (is_last) return wait_until([&] { return is_sent_; });
  }
}

}  // namespace unirack
