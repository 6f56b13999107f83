// Beginnings and ends: connecting in any order, closing, breaking, sleeping, and what is left.
#include <dirent.h>

#include <algorithm>
#include <array>

#include "tests/conformance/subjects.h"

namespace unirack::testing {
namespace {

class ConformanceLife : public Conformance {};

size_t open_descriptor_count() {
  DIR* const directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  size_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

TEST_P(ConformanceLife, NothingIsAcceptedBeforeBothEndsConnect) {
  Pool pool(GetParam(), 2);
  for (const Rank first : {0, 1}) {
    RankUnderTest& early = pool[first];
    const Rank second = 1 - first;
    early.connect(second, pool[second].transport().address(), first);
    for (int i = 0; i < 100; ++i) pool.pump();
    std::byte byte{};
    const Copy copy{&byte, {}, 0, 1};
    EXPECT_EQ(early.endpoint(second, first).get({&copy, 1}, 1), 0u);
    EXPECT_FALSE(early.is_done(1));
    pool[second].connect(first, early.transport().address(), first);
    EXPECT_TRUE(pool.pump_until(
        [&] { return early.is_ready(second, first) && pool[second].is_ready(first, first); }));
  }
}

TEST_P(ConformanceLife, ClosingCompletesEveryTokenOnce) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  Buffer buffer(Kind::private_memory, size_t{64} << 20);
  const auto exposed = pool[1].expose(buffer);
  const Remote remote = pool.import(0, 1, *exposed);
  std::vector<std::byte> local(buffer.bytes().size());
  std::vector<Token> tokens;
  for (int i = 0; i < 6; ++i) {
    const Copy copy{local.data(), remote, 0, local.size()};
    const Token token = pool[0].next_token();
    Endpoint& endpoint = pool[0].endpoint(1);
    if ((i % 2 == 0 ? endpoint.put({&copy, 1}, nullptr, token) : endpoint.get({&copy, 1}, token)) ==
        1) {
      tokens.push_back(token);
    }
  }
  EXPECT_GE(tokens.size(), 2u);
  EXPECT_EQ(pool[0].endpoint(1).close(now()).code(), Code::timeout);
  for (int i = 0; i < 50; ++i) pool.pump();
  for (const Token token : tokens) ASSERT_EQ(pool[0].outcomes(token).size(), 1u);
  EXPECT_EQ(pool[0].outcomes(tokens.back())[0].code(), Code::revoked);
  // Whatever is offered afterwards is taken and fails.
  const Copy copy{local.data(), remote, 0, 8};
  const Token late = pool[0].next_token();
  EXPECT_EQ(pool[0].endpoint(1).put({&copy, 1}, nullptr, late), 1u);
  EXPECT_EQ(pool.wait(pool[0], late).code(), Code::revoked);
  EXPECT_EQ(pool[0].outcomes(RankUnderTest::connect_token(1, 0)).size(), 1u);
}

TEST_P(ConformanceLife, ClosingBeforeReadyCompletesTheConnectToken) {
  Pool pool(GetParam(), 2);
  pool[0].connect(1, pool[1].transport().address(), 0);
  static_cast<void>(pool[0].endpoint(1).close(now()));
  pool[0].pump();
  const auto& outcomes = pool[0].outcomes(RankUnderTest::connect_token(1, 0));
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].code(), Code::revoked);
}

TEST_P(ConformanceLife, APeerThatLeavesIsReportedOnce) {
  Pool pool(GetParam(), 3);
  pool.connect_all();
  Buffer buffer(Kind::private_memory, 4096);
  const auto exposed = pool[0].expose(buffer);
  const Remote remote = pool.import(2, 0, *exposed);
  pool.remove(1);
  const Token connect = RankUnderTest::connect_token(1, 0);
  ASSERT_TRUE(pool.pump_until([&] { return pool[0].outcomes(connect).size() == 2; }));
  const Error error = pool[0].outcomes(connect)[1].error();
  EXPECT_EQ(error.code, Code::peer_failed);
  EXPECT_EQ(error.culprit, 1);
  const Token token = pool[0].next_token();
  std::byte byte{};
  const Copy copy{&byte, {}, 0, 1};
  EXPECT_EQ(pool[0].endpoint(1).put({&copy, 1}, nullptr, token), 1u);
  EXPECT_EQ(pool.wait(pool[0], token).code(), Code::peer_failed);
  for (int i = 0; i < 100; ++i) pool.pump();
  EXPECT_EQ(pool[0].outcomes(connect).size(), 2u);
  // The others do not notice.
  EXPECT_TRUE(pool.put(2, 0, {{&byte, remote, 0, 1}}));
}

TEST_P(ConformanceLife, EndsInAnyOrder) {
  std::array<Rank, 3> order{0, 1, 2};
  const size_t before = open_descriptor_count();
  do {
    Pool pool(GetParam(), 3, 2);
    pool.connect_all();
    std::vector<Buffer> buffers;
    std::vector<std::unique_ptr<Registration>> exposed;
    for (Rank rank = 0; rank < 3; ++rank) {
      buffers.emplace_back(rank == 1 ? Kind::symmetric : Kind::private_memory, size_t{2} << 20);
      exposed.push_back(pool[rank].expose(buffers.back()));
    }
    std::vector<std::byte> local(size_t{2} << 20);
    for (Rank from = 0; from < 3; ++from) {
      const Rank to = (from + 1) % 3;
      const Remote remote = pool.import(from, to, *exposed[static_cast<size_t>(to)]);
      const Copy copy{local.data(), remote, 0, local.size()};
      pool[from].endpoint(to).put({&copy, 1}, nullptr, pool[from].next_token());
      pool[from].endpoint(to).get({&copy, 1}, pool[from].next_token());
    }
    for (const Rank rank : order) {
      // Registrations before endpoints for one rank, after them for the others.
      const auto at = static_cast<size_t>(rank);
      if (rank == 1) exposed[at].reset();
      std::unique_ptr<Endpoint> endpoint = pool[rank].take_endpoint((rank + 1) % 3, 1);
      endpoint.reset();
      for (Rank peer = 0; peer < 3; ++peer) {
        for (int path = 0; peer != rank && path < 2; ++path) {
          if (path == 0 || peer != (rank + 1) % 3) pool[rank].take_endpoint(peer, path).reset();
        }
      }
      exposed[at].reset();
      pool.remove(rank);
      for (int i = 0; i < 10; ++i) pool.pump();
    }
  } while (std::ranges::next_permutation(order).found);
  EXPECT_EQ(open_descriptor_count(), before);
}

TEST_P(ConformanceLife, ConnectsAgainAfterBothEndsClosed) {
  Pool pool(GetParam(), 2);
  for (int round = 0; round < 5; ++round) {
    pool.connect_all();
    pool[0].take_endpoint(1).reset();
    pool[1].take_endpoint(0).reset();
    for (int i = 0; i < 10; ++i) pool.pump();
    pool[0].forget_outcomes();
    pool[1].forget_outcomes();
  }
}

TEST_P(ConformanceLife, ASignalWakesASleeper) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  for (const Kind kind : {Kind::symmetric, Kind::private_memory}) {
    Buffer words(kind, 64);
    *words.word(0) = 0;
    const auto exposed = pool[1].expose(words);
    const Remote remote = pool.import(0, 1, *exposed);
    std::optional<int> fd;
    ASSERT_TRUE(pool.pump_until([&] { return (fd = pool[1].transport().arm()).has_value(); }));
    ASSERT_TRUE(pool.pump_until([&] {
      fd = pool[1].transport().arm();
      return fd && !is_readable(*fd, 0);
    }));
    const Copy nothing{nullptr, remote, 0, 0};
    const Signal signal{remote, 0, 1};
    ASSERT_TRUE(pool[0].endpoint(1).put({&nothing, 1}, &signal, kNoToken));
    const Deadline deadline = deadline_in(kPatience);
    while (!is_readable(*fd, 0) && !expired(deadline)) pool[0].pump();
    EXPECT_TRUE(is_readable(*fd, 0));
    ASSERT_TRUE(pool.pump_until([&] { return words.load_word(0) == 1; }));
  }
}

UNIRACK_CONFORMANCE(ConformanceLife);

}  // namespace
}  // namespace unirack::testing
