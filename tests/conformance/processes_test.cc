// Transports between processes, and what happens when one of them dies.
#include <array>

#include "tests/conformance/subjects.h"
#include "tests/support/two_processes.h"

namespace unirack::testing {
namespace {

constexpr size_t kBytes = 3'000'017;

class ConformanceProcesses : public Conformance {};

bool pump_until(RankUnderTest& rank, const std::function<bool()>& is_true) {
  const Deadline deadline = deadline_in(kPatience);
  while (!is_true()) {
    if (expired(deadline)) return false;
    rank.pump();
  }
  return true;
}

// What both processes have: a rank that is connected, and a buffer of each kind that the peer can
// reach.
struct Member {
  Member(const Subject& subject, Rank me, const Wire& wire)
      : rank(subject, me, 2), words(Kind::symmetric, 64) {
    std::fill_n(words.data(), 64, std::byte{0});
    rank.connect(1 - me, wire.exchange(rank.transport().address()), 0);
    EXPECT_TRUE(pump_until(rank, [&] { return rank.is_ready(1 - me); }));
    const std::array<Buffer*, 3> all{&words, &buffers[0], &buffers[1]};
    for (size_t i = 0; i < all.size(); ++i) {
      exposed.push_back(rank.expose(*all[i]));
      const auto descriptor = wire.exchange(exposed.back()->descriptor());
      auto imported = rank.endpoint(1 - me).import(descriptor);
      EXPECT_TRUE(pump_until(rank, [&] {
        if (!imported) imported = rank.endpoint(1 - me).import(descriptor);
        return static_cast<bool>(imported);
      }));
      if (imported) remotes[i] = *imported;
    }
  }

  RankUnderTest rank;
  Buffer words;
  std::array<Buffer, 2> buffers{Buffer(Kind::private_memory, kBytes),
                                Buffer(Kind::symmetric, kBytes)};
  std::vector<std::unique_ptr<Registration>> exposed;
  std::array<Remote, 3> remotes;
};

// Puts into both buffers of the peer, waits for the same from there, then gets back what it put.
void trade(Member& member, Rank me) {
  Endpoint& endpoint = member.rank.endpoint(1 - me);
  std::vector<std::byte> local(kBytes);
  const auto seed = [](Rank rank, size_t buffer) {
    return static_cast<uint64_t>(rank) * 10 + buffer;
  };
  for (const size_t buffer : {0u, 1u}) {
    fill_pattern(local, seed(me, buffer));
    const Copy copy{local.data(), member.remotes[1 + buffer], 0, kBytes};
    const Signal signal{member.remotes[0], 8 * buffer, 1};
    const Token token = member.rank.next_token();
    ASSERT_TRUE(pump_until(member.rank, [&] { return endpoint.put({&copy, 1}, &signal, token); }));
    ASSERT_TRUE(pump_until(member.rank, [&] { return member.rank.is_done(token); }));
    ASSERT_TRUE(pump_until(member.rank, [&] { return member.words.load_word(8 * buffer) == 1; }));
    EXPECT_EQ(first_difference(member.buffers[buffer].bytes(), seed(1 - me, buffer)), kBytes);
    std::fill(local.begin(), local.end(), kPoison);
    const Token back = member.rank.next_token();
    ASSERT_TRUE(pump_until(member.rank, [&] { return endpoint.get({&copy, 1}, back); }));
    ASSERT_TRUE(pump_until(member.rank, [&] { return member.rank.is_done(back); }));
    EXPECT_TRUE(member.rank.outcomes(back)[0]);
    EXPECT_EQ(first_difference(local, seed(me, buffer)), kBytes);
  }
  // The other may still need us.
  const Copy nothing{nullptr, member.remotes[0], 0, 0};
  const Signal done{member.remotes[0], 16, 1};
  ASSERT_TRUE(pump_until(member.rank, [&] {
    return endpoint.put({&nothing, 1}, &done, kNoToken);
  }));
  ASSERT_TRUE(pump_until(member.rank, [&] { return member.words.load_word(16) == 1; }));
  (void)endpoint.close(deadline_in(kPatience));
}

TEST_P(ConformanceProcesses, TradeBytes) {
  TwoProcesses processes([&](const Wire& wire) {
    Member member(GetParam(), 1, wire);
    trade(member, 1);
  });
  Member member(GetParam(), 0, processes.wire());
  trade(member, 0);
  EXPECT_TRUE(processes.join());
}

// The peer serves and is killed in the middle: every token fails, once, and nothing hangs.
TEST_P(ConformanceProcesses, AKilledPeerFailsEveryToken) {
  TwoProcesses processes([&](const Wire& wire) {
    Member member(GetParam(), 1, wire);
    pump_until(member.rank, [] { return false; });
  });
  Member member(GetParam(), 0, processes.wire());
  Endpoint& endpoint = member.rank.endpoint(1);
  std::vector<std::byte> local(kBytes);
  std::vector<Token> tokens;
  bool is_killed = false;
  ASSERT_TRUE(pump_until(member.rank, [&] {
    for (const size_t buffer : {1u, 2u}) {
      const Copy copy{local.data(), member.remotes[buffer], 0, kBytes};
      const Token token = member.rank.next_token();
      const size_t accepted = tokens.size() % 3 == 0 ? endpoint.get({&copy, 1}, token)
                                                     : endpoint.put({&copy, 1}, nullptr, token);
      if (accepted == 1) tokens.push_back(token);
    }
    if (!is_killed && tokens.size() >= 20) {
      processes.kill_child();
      is_killed = true;
    }
    return is_killed && member.rank.outcomes(RankUnderTest::connect_token(1, 0)).size() == 2;
  }));
  EXPECT_EQ(member.rank.outcomes(RankUnderTest::connect_token(1, 0))[1].code(), Code::peer_failed);
  EXPECT_EQ(member.rank.outcomes(RankUnderTest::connect_token(1, 0))[1].error().culprit, 1);
  for (int i = 0; i < 100; ++i) member.rank.pump();
  for (const Token token : tokens) EXPECT_EQ(member.rank.outcomes(token).size(), 1u);
  EXPECT_EQ(member.rank.outcomes(tokens.back())[0].code(), Code::peer_failed);
}

TEST_P(ConformanceProcesses, AKilledPeerWakesASleeper) {
  TwoProcesses processes([&](const Wire& wire) {
    Member member(GetParam(), 1, wire);
    pump_until(member.rank, [] { return false; });
  });
  Member member(GetParam(), 0, processes.wire());
  std::optional<int> fd;
  ASSERT_TRUE(pump_until(member.rank, [&] {
    fd = member.rank.transport().arm();
    return fd && !is_readable(*fd, 0);
  }));
  processes.kill_child();
  EXPECT_TRUE(is_readable(*fd, 5000));
  EXPECT_TRUE(pump_until(member.rank, [&] {
    return member.rank.outcomes(RankUnderTest::connect_token(1, 0)).size() == 2;
  }));
}

UNIRACK_CONFORMANCE_OF_PROCESSES(ConformanceProcesses);

}  // namespace
}  // namespace unirack::testing
