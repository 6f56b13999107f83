// Ranks that run on threads of their own, as they do in use.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>

#include "tests/conformance/subjects.h"

namespace unirack::testing {
namespace {

class ConformanceThreads : public Conformance {};

void pump_until(RankUnderTest& rank, const std::function<bool()>& is_true) {
  const Deadline deadline = deadline_in(kPatience);
  while (!is_true()) {
    if (expired(deadline)) {
      ADD_FAILURE() << "waited too long";
      return;
    }
    rank.pump();
    std::this_thread::yield();
  }
}

// Sleeps between two looks, as an idle engine does.
void sleep_until(RankUnderTest& rank, const std::function<bool()>& is_true) {
  const Deadline deadline = deadline_in(kPatience);
  while (!is_true()) {
    if (expired(deadline)) {
      ADD_FAILURE() << "slept too long";
      return;
    }
    rank.pump();
    const std::optional<int> fd = rank.transport().arm();
    if (!fd || is_true()) continue;
    pollfd entry{*fd, POLLIN, 0};
    const int64_t left_ms = to_ms(deadline - now());
    ::poll(&entry, 1, static_cast<int>(left_ms) + 1);
  }
}

struct Side {
  Buffer words{Kind::symmetric, 64};
  Buffer data{Kind::private_memory, 8192};
  std::unique_ptr<Registration> words_exposed;
  std::unique_ptr<Registration> data_exposed;
  Remote peer_words;
  Remote peer_data;
};

using Wait = void (*)(RankUnderTest&, const std::function<bool()>&);

// Two ranks send each other a block and a signal in turn.
void play(Pool& pool, std::array<Side, 2>& sides, Rank me, Wait wait, uint64_t rounds) {
  RankUnderTest& rank = pool[me];
  Side& mine = sides[static_cast<size_t>(me)];
  std::vector<std::byte> source(mine.data.bytes().size());
  for (uint64_t round = 1; round <= rounds; ++round) {
    const size_t bytes = (round * 769) % source.size();
    const auto send = [&] {
      fill_pattern(Bytes(source).first(bytes), round);
      const Copy copy{source.data(), mine.peer_data, 0, bytes};
      const Signal signal{mine.peer_words, 0, round};
      const Token token = rank.next_token();
      wait(rank, [&] { return rank.endpoint(1 - me).put({&copy, 1}, &signal, token) == 1; });
      wait(rank, [&] { return rank.is_done(token); });
    };
    if (me == 0) send();
    wait(rank, [&] { return mine.words.load_word(0) >= round; });
    ASSERT_EQ(first_difference(mine.data.bytes().first(bytes), round), bytes) << round;
    if (me == 1) send();
  }
}

void run_game(const Subject& subject, Wait wait, uint64_t rounds) {
  Pool pool(subject, 2);
  pool.connect_all();
  std::array<Side, 2> sides;
  for (Rank rank : {0, 1}) {
    Side& side = sides[static_cast<size_t>(rank)];
    *side.words.word(0) = 0;
    side.words_exposed = pool[rank].expose(side.words);
    side.data_exposed = pool[rank].expose(side.data);
  }
  for (Rank rank : {0, 1}) {
    Side& side = sides[static_cast<size_t>(rank)];
    const Side& other = sides[static_cast<size_t>(1 - rank)];
    side.peer_words = pool.import(rank, 1 - rank, *other.words_exposed);
    side.peer_data = pool.import(rank, 1 - rank, *other.data_exposed);
  }
  std::thread second([&] { play(pool, sides, 1, wait, rounds); });
  play(pool, sides, 0, wait, rounds);
  second.join();
}

TEST_P(ConformanceThreads, TwoRanksPlayPingPong) { run_game(GetParam(), &pump_until, 2000); }

TEST_P(ConformanceThreads, TwoSleepyRanksPlayPingPong) { run_game(GetParam(), &sleep_until, 500); }

// The owner takes its memory back while a peer writes to it all the time.
TEST_P(ConformanceThreads, NothingLandsAfterDeregistration) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  Buffer buffer(Kind::private_memory, 300'000);
  Buffer idle(Kind::private_memory, 64);
  auto exposed = pool[1].expose(buffer);
  const auto idle_exposed = pool[1].expose(idle);
  *idle.word(0) = 0;
  const Remote remote = pool.import(0, 1, *exposed);
  const Remote word = pool.import(0, 1, *idle_exposed);
  std::vector<std::byte> source(buffer.bytes().size(), std::byte{1});
  std::atomic<bool> is_refused = false;
  std::thread writer([&] {
    const Copy copy{source.data(), remote, 0, source.size()};
    const Signal signal{word, 0, 1};
    pump_until(pool[0], [&] {
      const Token token = pool[0].next_token();
      if (pool[0].endpoint(1).put({&copy, 1}, &signal, token) == 0) return false;
      pump_until(pool[0], [&] { return pool[0].is_done(token); });
      is_refused = pool[0].outcomes(token)[0].code() == Code::stale;
      return is_refused.load();
    });
  });
  pump_until(pool[1], [&] { return idle.load_word(0) == 1; });
  exposed.reset();
  std::fill_n(buffer.data(), source.size(), std::byte{2});
  pump_until(pool[1], [&] { return is_refused.load(); });
  writer.join();
  EXPECT_EQ(std::count(buffer.data(), buffer.data() + source.size(), std::byte{2}),
            static_cast<ptrdiff_t>(source.size()));
}

TEST_P(ConformanceThreads, ClosingLetsWhatIsAcceptedLand) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  Buffer buffer(Kind::private_memory, size_t{5} << 20);
  const auto exposed = pool[1].expose(buffer);
  const Remote remote = pool.import(0, 1, *exposed);
  std::vector<std::byte> local(buffer.bytes().size());
  fill_pattern(local, 3);
  const Token token = pool[0].next_token();
  const Copy copy{local.data(), remote, 0, local.size()};
  ASSERT_EQ(pool[0].endpoint(1).put({&copy, 1}, nullptr, token), 1u);
  std::atomic<bool> is_closed = false;
  std::thread peer([&] {
    const Deadline deadline = deadline_in(kPatience);
    while (!is_closed && !expired(deadline)) pool[1].pump();
  });
  const Status status = pool[0].endpoint(1).close(deadline_in(kPatience));
  is_closed = true;
  peer.join();
  EXPECT_TRUE(status) << status.error().to_string();
  EXPECT_EQ(first_difference(buffer.bytes(), 3), local.size());
  pool[0].pump();
  ASSERT_EQ(pool[0].outcomes(token).size(), 1u);
  EXPECT_TRUE(pool[0].outcomes(token)[0]);
}

// Everyone writes to everyone, each rank on its thread, connecting included.
TEST_P(ConformanceThreads, FourRanksConnectAndExchange) {
  constexpr int kRanks = 4;
  constexpr size_t kBlock = 33'333;
  Pool pool(GetParam(), kRanks);
  std::array<std::vector<std::byte>, kRanks> addresses;
  std::array<std::unique_ptr<Registration>, kRanks> exposed;
  std::vector<Buffer> buffers;
  for (Rank rank = 0; rank < kRanks; ++rank) {
    const auto at = static_cast<size_t>(rank);
    addresses[at] = pool[rank].transport().address();
    buffers.emplace_back(rank % 2 ? Kind::symmetric : Kind::private_memory, 64 + kRanks * kBlock);
    std::fill_n(buffers[at].data(), 64, std::byte{0});
    exposed[at] = pool[rank].expose(buffers[at]);
  }
  std::latch all_done(kRanks);
  const auto run = [&](Rank me) {
    RankUnderTest& rank = pool[me];
    std::vector<std::byte> source(kBlock);
    fill_pattern(source, static_cast<uint64_t>(me));
    for (Rank peer = 0; peer < kRanks; ++peer) {
      if (peer != me) rank.connect(peer, addresses[static_cast<size_t>(peer)], 0);
    }
    for (Rank peer = 0; peer < kRanks; ++peer) {
      if (peer == me) continue;
      pump_until(rank, [&] { return rank.is_ready(peer); });
      const auto descriptor = exposed[static_cast<size_t>(peer)]->descriptor();
      auto remote = rank.endpoint(peer).import(descriptor);
      pump_until(rank, [&] {
        if (!remote) remote = rank.endpoint(peer).import(descriptor);
        return static_cast<bool>(remote);
      });
      const auto slot = static_cast<uint64_t>(me);
      const Copy copy{source.data(), *remote, 64 + slot * kBlock, kBlock};
      const Signal signal{*remote, slot * 8, 1};
      const Token token = rank.next_token();
      pump_until(rank, [&] { return rank.endpoint(peer).put({&copy, 1}, &signal, token) == 1; });
      pump_until(rank, [&] { return rank.is_done(token); });
    }
    Buffer& mine = buffers[static_cast<size_t>(me)];
    for (uint64_t peer = 0; peer < kRanks; ++peer) {
      if (static_cast<Rank>(peer) == me) continue;
      pump_until(rank, [&] { return mine.load_word(peer * 8) == 1; });
      EXPECT_EQ(first_difference(mine.bytes().subspan(64 + peer * kBlock, kBlock), peer), kBlock);
    }
    all_done.count_down();
    pump_until(rank, [&] { return all_done.try_wait(); });
  };
  std::vector<std::thread> threads;
  for (Rank rank = 0; rank < kRanks; ++rank) threads.emplace_back(run, rank);
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(LoopbackThreaded, ConformanceThreads,
                         ::testing::Values(Subject{"loopback"}));
INSTANTIATE_TEST_SUITE_P(TcpThreaded, ConformanceThreads,
                         ::testing::Values(Subject{"tcp"}, Subject{"tcp", true, 2}));
INSTANTIATE_TEST_SUITE_P(Shm, ConformanceThreads,
                         ::testing::Values(Subject{"shm", true}, Subject{"shm", false}));

}  // namespace
}  // namespace unirack::testing
