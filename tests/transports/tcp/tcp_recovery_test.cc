// Paths that outlive their connections: what is lost on the way arrives over another rail, once.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/support/comm_pool.h"
#include "tests/support/net_namespace.h"
#include "tests/support/transport_pool.h"
#include "tests/support/watchdog.h"
#include "transports/tcp/tcp_outbox.h"
#include "transports/tcp/tcp_transport.h"

namespace unirack::testing {
namespace {

constexpr Subject kTwoRails{"tcp", true, 2};
constexpr int kPaths = 2;

class TcpRecovery : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why_not;
    network_ = NetNamespace::open(2, why_not);
    if (!network_) GTEST_SKIP() << why_not;
  }

 private:
  std::unique_ptr<NetNamespace> network_;
};

// A buffer at rank 1, and a counter beside it, as rank 0 reaches them over a path.
struct Reached {
  Reached(Pool& pool, size_t bytes)
      : data(Kind::private_memory, bytes), words(Kind::symmetric, 64) {
    std::memset(words.data(), 0, 64);
    data_exposed = pool[1].expose(data);
    words_exposed = pool[1].expose(words);
    for (int path = 0; path < kPaths; ++path) {
      data_at.push_back(pool.import(0, 1, *data_exposed, path));
      words_at.push_back(pool.import(0, 1, *words_exposed, path));
    }
  }
  Buffer data, words;
  std::unique_ptr<Registration> data_exposed, words_exposed;
  std::vector<Remote> data_at, words_at;
};

TEST_F(TcpRecovery, EveryPathUsesARailOfItsOwn) {
  Pool pool(kTwoRails, 2, kPaths);
  pool.connect_all();
  EXPECT_EQ(pool[0].transport().rail_count(), 2u);
}

// Puts of both paths are under way when a rail goes; all arrive, each signal after its bytes, and
// nobody hears of an error.
TEST_F(TcpRecovery, PutsMoveToTheOtherRail) {
  extend_watchdog(2);
  for (const int lost : {0, 1}) {
    Pool pool(kTwoRails, 2, kPaths);
    pool.connect_all();
    constexpr size_t kBytes = size_t{6} << 20;
    constexpr uint64_t kRounds = 8;
    Reached reached(pool, kPaths * kBytes);
    std::vector<std::vector<std::byte>> sources(kPaths, std::vector<std::byte>(kBytes));
    for (uint64_t round = 1; round <= kRounds; ++round) {
      std::vector<Token> tokens;
      for (int path = 0; path < kPaths; ++path) {
        const auto at = static_cast<size_t>(path);
        fill_pattern(sources[at], round * 2 + at);
        const Copy copy{sources[at].data(), reached.data_at[at], at * kBytes, kBytes};
        const Signal signal{reached.words_at[at], at * 8, round};
        tokens.push_back(pool[0].next_token());
        ASSERT_EQ(pool[0].endpoint(1, path).put({&copy, 1}, &signal, tokens.back()), 1u);
      }
      if (round == 3) {
        const std::byte* const last = reached.data.data() + kBytes - 1;
        for (int i = 0; i < 20 && *last == kPoison; ++i) pool.pump();
        ASSERT_TRUE(NetNamespace::lose_rail(lost));
      }
      for (const Token token : tokens) ASSERT_TRUE(pool.wait(pool[0], token));
      for (size_t at = 0; at < kPaths; ++at) {
        ASSERT_TRUE(pool.pump_until([&] { return reached.words.load_word(at * 8) == round; }))
            << "rail " << lost << " round " << round << " path " << at;
        ASSERT_EQ(first_difference({reached.data.data() + at * kBytes, kBytes}, round * 2 + at),
                  kBytes);
      }
    }
    for (int path = 0; path < kPaths; ++path) {
      EXPECT_EQ(pool[0].outcomes(RankUnderTest::connect_token(1, path)).size(), 1u);
      EXPECT_EQ(pool[1].outcomes(RankUnderTest::connect_token(0, path)).size(), 1u);
    }
    ASSERT_TRUE(NetNamespace::restore_rail(lost));
  }
}

// The higher rank sends, so it notices first and has to ask the lower one to dial.
TEST_F(TcpRecovery, TheAnsweringSideGetsItsPathBack) {
  Pool pool(kTwoRails, 2, kPaths);
  pool.connect_all();
  Buffer words(Kind::symmetric, 64);
  std::memset(words.data(), 0, 64);
  const auto exposed = pool[0].expose(words);
  const Remote remote = pool.import(1, 0, *exposed, 1);
  ASSERT_TRUE(NetNamespace::lose_rail(1));
  const Copy nothing{nullptr, remote, 0, 0};
  for (uint64_t value = 1; value <= 200; ++value) {
    const Signal signal{remote, 0, value};
    ASSERT_TRUE(pool.pump_until([&] {
      return pool[1].endpoint(0, 1).put({&nothing, 1}, &signal, kNoToken) == 1;
    }));
  }
  EXPECT_TRUE(pool.pump_until([&] { return words.load_word(0) == 200; }));
}

TEST_F(TcpRecovery, GetsMoveToTheOtherRail) {
  Pool pool(kTwoRails, 2, kPaths);
  pool.connect_all();
  constexpr size_t kBytes = size_t{32} << 20;
  Reached reached(pool, kBytes);
  fill_pattern(reached.data.bytes(), 9);
  std::vector<std::byte> target(kBytes);
  const Copy copy{target.data(), reached.data_at[1], 0, kBytes};
  const Token token = pool[0].next_token();
  ASSERT_EQ(pool[0].endpoint(1, 1).get({&copy, 1}, token), 1u);
  for (int i = 0; i < 10; ++i) pool.pump();
  ASSERT_TRUE(NetNamespace::lose_rail(1));
  ASSERT_TRUE(pool.wait(pool[0], token));
  EXPECT_EQ(first_difference(target, 9), kBytes);
}

TEST_F(TcpRecovery, WithoutAnyRailTheEndpointFails) {
  extend_watchdog(2);
  Pool pool(kTwoRails, 2, kPaths);
  pool.connect_all();
  Reached reached(pool, 64);
  ASSERT_TRUE(NetNamespace::lose_rail(0));
  ASSERT_TRUE(NetNamespace::lose_rail(1));
  const std::byte byte{1};
  const Copy copy{const_cast<std::byte*>(&byte), reached.data_at[0], 0, 1};
  ASSERT_EQ(pool[0].endpoint(1, 0).put({&copy, 1}, nullptr, kNoToken), 1u);
  const Token token = RankUnderTest::connect_token(1, 0);
  ASSERT_TRUE(
      pool.pump_until([&] { return pool[0].outcomes(token).size() == 2; }, milliseconds(20'000)));
  EXPECT_EQ(pool[0].outcomes(token)[1].error().culprit, 1);
}

// Through the C interface: sums of every size go on, to the bit, while a rail is lost and another
// operation is in the middle of it.
TEST_F(TcpRecovery, AllReduceGoesOnWithTheSameBitsThreaded) {
  extend_watchdog(2);
  constexpr int kRanks = 4;
  constexpr size_t kCount = size_t{1} << 20;
  constexpr int kRounds = 30;
  std::atomic<int> good = 0;
  unirackConfig_t config = UNIRACK_CONFIG_INITIALIZER;
  config.transports = "tcp";
  const bool joined = run_ranks(kRanks, config, [&](int rank, unirackComm_t comm) {
    std::vector<float> send(kCount);
    std::vector<float> recv(kCount);
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < kCount; ++i) {
        send[i] = static_cast<float>(static_cast<size_t>(rank + round) * 7 + i % 1000);
      }
      std::thread saboteur;
      if (rank == 0 && round == 10) {
        saboteur = std::thread([] { EXPECT_TRUE(NetNamespace::lose_rail(1)); });
      }
      const unirackResult_t code = unirackAllReduce(send.data(), recv.data(), kCount, unirackFloat,
                                                    unirackSum, comm, nullptr);
      if (saboteur.joinable()) saboteur.join();
      ASSERT_EQ(code, unirackSuccess) << unirackGetLastError(comm);
      for (size_t i = 0; i < kCount; ++i) {
        const size_t sum = static_cast<size_t>(kRanks * round + 6) * 7 + kRanks * (i % 1000);
        ASSERT_EQ(recv[i], static_cast<float>(sum)) << "round " << round << " element " << i;
      }
    }
    ++good;
  });
  EXPECT_TRUE(joined);
  EXPECT_EQ(good, kRanks);
}

// ---- the outbox alone --------------------------------------------------------------------------

TcpHeader numbered(uint64_t bytes) {
  TcpHeader header;
  header.kind = TcpHeader::Kind::put;
  header.bytes = bytes;
  return header;
}

TEST(TcpOutbox, KeepsCopiesUntilTheyAreAcknowledged) {
  TcpOutbox outbox(true);
  std::vector<std::byte> source(5000, std::byte{1});
  EXPECT_TRUE(outbox.add(numbered(5000), source.data(), 7)) << "a kept payload is free at once";
  outbox.rewind();
  std::vector<Token> done;
  EXPECT_FALSE(outbox.acknowledge(2, done)) << "there was only one frame";
  EXPECT_EQ(outbox.waiting_bytes(), TcpHeader::kWireBytes + 5000);
  EXPECT_TRUE(outbox.acknowledge(1, done));
  EXPECT_TRUE(outbox.is_empty());
  EXPECT_EQ(outbox.waiting_bytes(), 0u);
  EXPECT_TRUE(outbox.acknowledge(1, done)) << "said again";
}

TEST(TcpOutbox, RefusesWordOfFramesThatWereNotSent) {
  TcpOutbox outbox(true);
  outbox.add(numbered(0), nullptr, kNoToken);
  std::vector<Token> done;
  EXPECT_FALSE(outbox.acknowledge(1, done));
}

}  // namespace
}  // namespace unirack::testing
