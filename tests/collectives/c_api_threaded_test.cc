// What callers of the C interface see, with ranks as threads.
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "include/unirack/unirack.h"
#include "lib/base/clock.h"
#include "tests/support/comm_pool.h"

namespace unirack {
namespace {

using testing::run_ranks;

constexpr int kPoison = -77;

TEST(CApiThreaded, CollectivesDeliverWhatTheirNamesSay) {
  constexpr int kRanks = 3;
  constexpr size_t kCount = 1001;
  EXPECT_TRUE(run_ranks(kRanks, [](int rank, unirackComm_t comm) {
    std::vector<int> mine(kCount, rank + 1);
    std::vector<int> all(kCount * kRanks, kPoison);
    ASSERT_EQ(unirackAllGather(mine.data(), all.data(), kCount, unirackInt, comm, nullptr), 0);
    for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<int>(i / kCount) + 1);
    std::vector<int> one(kCount, kPoison);
    ASSERT_EQ(
        unirackReduceScatter(all.data(), one.data(), kCount, unirackInt, unirackSum, comm, nullptr),
        0);
    for (const int value : one) ASSERT_EQ(value, kRanks * (rank + 1));
    ASSERT_EQ(
        unirackReduce(mine.data(), one.data(), kCount, unirackInt, unirackMax, 1, comm, nullptr),
        0);
    for (const int value : one) ASSERT_EQ(value, rank == 1 ? kRanks : kRanks * (rank + 1));
    std::vector<int> swapped(kCount * kRanks, kPoison);
    std::vector<int> sent(kCount * kRanks);
    for (size_t i = 0; i < sent.size(); ++i) sent[i] = rank * 10 + static_cast<int>(i / kCount);
    ASSERT_EQ(unirackAlltoAll(sent.data(), swapped.data(), kCount, unirackInt, comm, nullptr), 0);
    for (size_t i = 0; i < swapped.size(); ++i) {
      ASSERT_EQ(swapped[i], static_cast<int>(i / kCount) * 10 + rank);
    }
    ASSERT_EQ(unirackAlltoAll(sent.data(), sent.data(), kCount, unirackInt, comm, nullptr), 0);
    ASSERT_EQ(sent, swapped);
    ASSERT_EQ(unirackBarrier(comm, nullptr), 0);
  }));
}

TEST(CApiThreaded, UnequalBlocksReachTheirPlaces) {
  constexpr int kRanks = 4;
  EXPECT_TRUE(run_ranks(kRanks, [](int rank, unirackComm_t comm) {
    // Rank p sends p + 2 q elements to q; some pairs send nothing.
    const auto count = [](int p, int q) { return static_cast<size_t>((p + 2 * q) % 5); };
    std::vector<size_t> sends, send_at, receives, receive_at;
    size_t out = 0;
    size_t in = 0;
    for (int peer = 0; peer < kRanks; ++peer) {
      sends.push_back(count(rank, peer));
      send_at.push_back(out);
      out += count(rank, peer) + 1;  // gaps stay as they are
      receives.push_back(count(peer, rank));
      receive_at.push_back(in);
      in += count(peer, rank) + 2;
    }
    std::vector<int> sent(out);
    std::iota(sent.begin(), sent.end(), rank * 1000);
    std::vector<int> received(in, kPoison);
    ASSERT_EQ(unirackAlltoAllv(sent.data(), sends.data(), send_at.data(), received.data(),
                               receives.data(), receive_at.data(), unirackInt, comm, nullptr),
              0);
    std::vector<int> expected(in, kPoison);
    for (int peer = 0; peer < kRanks; ++peer) {
      size_t at = 0;
      for (int before = 0; before < rank; ++before) at += count(peer, before) + 1;
      for (size_t i = 0; i < count(peer, rank); ++i) {
        expected[receive_at[static_cast<size_t>(peer)] + i] =
            peer * 1000 + static_cast<int>(at + i);
      }
    }
    EXPECT_EQ(received, expected);
  }));
}

TEST(CApiThreaded, BlocksThatDisagreeAreAMismatchThatSaysBoth) {
  std::string texts[2];
  EXPECT_TRUE(run_ranks(2, [&](int rank, unirackComm_t comm) {
    const size_t sends[2] = {4, 4};
    const size_t receives[2] = {4, rank == 0 ? size_t{3} : size_t{4}};
    const size_t at[2] = {0, 4};
    int from[8] = {};
    int to[8] = {};
    EXPECT_EQ(unirackAlltoAllv(from, sends, at, to, receives, at, unirackInt, comm, nullptr),
              unirackMismatch);
    texts[rank] = unirackGetLastError(comm);
  }));
  EXPECT_NE(texts[0].find("16 bytes"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find("12"), std::string::npos) << texts[0];
  EXPECT_NE(texts[1].find("16 bytes"), std::string::npos) << texts[1];
}

TEST(CApiThreaded, TheMinorityIsTheCulpritOfAMismatch) {
  EXPECT_TRUE(run_ranks(4, [](int rank, unirackComm_t comm) {
    float data[16] = {};
    float out[64] = {};
    const TimePoint began = now();
    const auto result =
        rank == 2 ? unirackAllGather(data, out, 16, unirackFloat, comm, nullptr)
                  : unirackAllReduce(data, out, 16, unirackFloat, unirackSum, comm, nullptr);
    EXPECT_EQ(result, unirackMismatch);
    EXPECT_LT(to_ms(now() - began), 1500);
    int culprit = -1;
    int count = 1;
    EXPECT_EQ(unirackCommGetFailedRanks(comm, &culprit, &count), 0);
    EXPECT_EQ(culprit, 2);
    const std::string text = unirackGetLastError(comm);
    EXPECT_NE(text.find("all_gather"), std::string::npos) << text;
    EXPECT_NE(text.find("all_reduce"), std::string::npos) << text;
    // The failure stands.
    EXPECT_EQ(unirackBarrier(comm, nullptr), unirackMismatch);
  }));
}

TEST(CApiThreaded, AbortFromAnotherThreadAlwaysReturns) {
  EXPECT_TRUE(run_ranks(3, [](int rank, unirackComm_t comm) {
    std::vector<float> data(1000, 1.0F);
    std::thread aborter;
    if (rank == 1) {
      // Rank 1 never enters the all-reduce that the others wait in.
      aborter = std::thread([comm] { EXPECT_EQ(unirackCommAbort(comm), 0); });
    } else {
      EXPECT_EQ(unirackAllReduce(data.data(), data.data(), data.size(), unirackFloat, unirackSum,
                                 comm, nullptr),
                unirackRevoked)
          << unirackGetLastError(comm);
      int culprit = -1;
      int count = 1;
      EXPECT_EQ(unirackCommGetFailedRanks(comm, &culprit, &count), 0);
      EXPECT_EQ(culprit, 1);
    }
    if (aborter.joinable()) aborter.join();
  }));
}

TEST(CApiThreaded, WorkIsAsynchronousAndHasADeadline) {
  EXPECT_TRUE(run_ranks(2, [](int rank, unirackComm_t comm) {
    std::vector<int> in(5000, rank);
    std::vector<int> out(in.size(), kPoison);
    for (int round = 0; round < 12; ++round) {  // more than may be in progress at once
      std::vector<unirackWork_t> works(6);
      std::vector<std::vector<int>> outs(works.size(), out);
      for (size_t i = 0; i < works.size(); ++i) {
        ASSERT_EQ(unirackWithWork(&works[i], 0), 0);
        ASSERT_EQ(unirackAllReduce(in.data(), outs[i].data(), in.size(), unirackInt, unirackSum,
                                   comm, nullptr),
                  0);
      }
      for (size_t i = works.size(); i-- > 0;) ASSERT_EQ(unirackWait(&works[i]), 0);
      for (const auto& each : outs) ASSERT_EQ(each, std::vector<int>(in.size(), 1));
    }
  }));
}

TEST(CApiThreaded, APassedDeadlineNamesTheRankThatIsLate) {
  EXPECT_TRUE(run_ranks(3, [](int rank, unirackComm_t comm) {
    if (rank == 2) {
      // Late: it leaves the others waiting until they have given up.
      unirackResult_t failure = unirackSuccess;
      const Deadline deadline = deadline_in(std::chrono::seconds(10));
      while (failure == unirackSuccess && !expired(deadline)) {
        unirackCommGetAsyncError(comm, &failure);
        std::this_thread::yield();
      }
      EXPECT_EQ(failure, unirackTimeout);
      return;
    }
    int value = 1;
    unirackWork_t work = nullptr;
    ASSERT_EQ(unirackWithWork(&work, 300), 0);
    ASSERT_EQ(unirackAllReduce(&value, &value, 1, unirackInt, unirackSum, comm, nullptr), 0);
    EXPECT_EQ(unirackWait(&work), unirackTimeout);
    int culprit = -1;
    int count = 1;
    EXPECT_EQ(unirackCommGetFailedRanks(comm, &culprit, &count), 0);
    EXPECT_EQ(culprit, 2) << unirackGetLastError(comm);
  }));
}

TEST(CApiThreaded, GroupedMessagesProgressTogether) {
  constexpr int kRanks = 3;
  EXPECT_TRUE(run_ranks(kRanks, [](int rank, unirackComm_t comm) {
    constexpr size_t kCount = 3000;
    std::vector<std::vector<int>> from(kRanks, std::vector<int>(kCount));
    std::vector<std::vector<int>> to(kRanks, std::vector<int>(kCount, kPoison));
    ASSERT_EQ(unirackGroupStart(), 0);
    for (int peer = 0; peer < kRanks; ++peer) {
      auto& block = from[static_cast<size_t>(peer)];
      std::fill(block.begin(), block.end(), rank * 10 + peer);
      ASSERT_EQ(unirackSend(block.data(), kCount, unirackInt, peer, comm, nullptr), 0);
      ASSERT_EQ(unirackRecv(to[static_cast<size_t>(peer)].data(), kCount, unirackInt, peer, comm,
                            nullptr),
                0);
    }
    ASSERT_EQ(unirackGroupEnd(), 0) << unirackGetLastError(comm);
    for (int peer = 0; peer < kRanks; ++peer) {
      EXPECT_EQ(to[static_cast<size_t>(peer)], std::vector<int>(kCount, peer * 10 + rank));
    }
  }));
}

TEST(CApiThreaded, SplitMakesPoolsOfTheirOwn) {
  EXPECT_TRUE(run_ranks(5, [](int rank, unirackComm_t comm) {
    unirackComm_t part = nullptr;
    const int color = rank == 4 ? -1 : rank % 2;
    ASSERT_EQ(unirackCommSplit(comm, color, -rank, &part, nullptr), 0) << unirackGetLastError(comm);
    if (rank == 4) {
      EXPECT_EQ(part, nullptr);
      return;
    }
    int count = 0;
    int new_rank = -1;
    ASSERT_EQ(unirackCommCount(part, &count), 0);
    ASSERT_EQ(unirackCommUserRank(part, &new_rank), 0);
    EXPECT_EQ(count, 2);
    EXPECT_EQ(new_rank, rank < 2 ? 1 : 0);  // by key, descending ranks
    int value = rank;
    ASSERT_EQ(unirackAllReduce(&value, &value, 1, unirackInt, unirackSum, part, nullptr), 0);
    EXPECT_EQ(value, color == 0 ? 2 : 4);
    EXPECT_EQ(unirackCommDestroy(part), 0);
  }));
}

TEST(CApiThreaded, PreMultipliedSumsMultiplyFirst) {
  EXPECT_TRUE(run_ranks(2, [](int rank, unirackComm_t comm) {
    const float scalar = 0.5F;
    unirackRedOp_t op = unirackSum;
    ASSERT_EQ(unirackRedOpCreatePreMulSum(&op, &scalar, unirackFloat, comm), 0);
    float value = rank == 0 ? 3.0F : 24.0F;
    ASSERT_EQ(unirackAllReduce(&value, &value, 1, unirackFloat, op, comm, nullptr), 0);
    EXPECT_EQ(value, 13.5F);
    EXPECT_EQ(unirackRedOpDestroy(op, comm), 0);
    EXPECT_EQ(unirackAllReduce(&value, &value, 1, unirackFloat, op, comm, nullptr),
              unirackInvalidArgument);
  }));
}

TEST(CApiThreaded, DifferentScalarsAreAMismatch) {
  EXPECT_TRUE(run_ranks(2, [](int rank, unirackComm_t comm) {
    const double scalar = rank + 1;
    unirackRedOp_t op = unirackSum;
    ASSERT_EQ(unirackRedOpCreatePreMulSum(&op, &scalar, unirackDouble, comm), 0);
    double value = 1;
    EXPECT_EQ(unirackAllReduce(&value, &value, 1, unirackDouble, op, comm, nullptr),
              unirackMismatch);
    EXPECT_NE(std::string(unirackGetLastError(comm)).find("scalar"), std::string::npos)
        << unirackGetLastError(comm);
  }));
}

TEST(CApiThreaded, SymmetricMemoryIsReducedInPlace) {
  EXPECT_TRUE(run_ranks(3, [](int rank, unirackComm_t comm) {
    constexpr size_t kCount = 100'000;
    void* memory = nullptr;
    ASSERT_EQ(unirackMemAlloc(comm, &memory, kCount * sizeof(double)), 0);
    auto* data = static_cast<double*>(memory);
    std::fill(data, data + kCount, rank + 0.5);
    ASSERT_EQ(unirackAllReduce(data, data, kCount, unirackDouble, unirackSum, comm, nullptr), 0);
    for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(data[i], 4.5);
    const std::string explained = unirackExplain(comm);
    EXPECT_NE(explained.find("two_shot_pull"), std::string::npos) << explained;
    EXPECT_NE(explained.find("costs: "), std::string::npos) << explained;
    EXPECT_EQ(unirackMemFree(comm, memory), 0);
    EXPECT_EQ(unirackMemFree(comm, memory), unirackInvalidArgument);
  }));
}

TEST(CApiThreaded, BadArgumentsAreRefusedInWords) {
  EXPECT_TRUE(run_ranks(1, [](int /*rank*/, unirackComm_t comm) {
    int value = 0;
    EXPECT_EQ(unirackBroadcast(&value, &value, 1, unirackInt, 5, comm, nullptr),
              unirackInvalidArgument);
    EXPECT_NE(std::string(unirackGetLastError(comm)).find("root 5"), std::string::npos);
    EXPECT_EQ(unirackAllReduce(nullptr, &value, 1, unirackInt, unirackSum, comm, nullptr),
              unirackInvalidArgument);
    EXPECT_EQ(
        unirackAllReduce(&value, &value, SIZE_MAX / 2, unirackDouble, unirackSum, comm, nullptr),
        unirackInvalidArgument);
    EXPECT_EQ(unirackSend(&value, 1, unirackInt, 0, comm, nullptr), unirackInvalidUsage);
    EXPECT_EQ(unirackSend(&value, 1, unirackInt, 7, comm, nullptr), unirackInvalidArgument);
    EXPECT_EQ(unirackAllReduce(&value, &value, 1, unirackNumTypes, unirackSum, comm, nullptr),
              unirackInvalidArgument);
    EXPECT_EQ(unirackGroupEnd(), unirackInvalidUsage);
    int pair[2] = {};
    EXPECT_EQ(unirackAllReduce(pair, reinterpret_cast<char*>(pair) + 2, 1, unirackInt, unirackSum,
                               comm, nullptr),
              unirackInvalidArgument);
    EXPECT_EQ(unirackAllReduce(&value, &value, 1, unirackInt, unirackSum, comm, nullptr), 0);
  }));
  EXPECT_EQ(unirackBarrier(nullptr, nullptr), unirackInvalidArgument);
  EXPECT_EQ(unirackCommDestroy(nullptr), unirackSuccess);
}

TEST(CApiThreaded, AllJoinOrNone) {
  int nobody = kPoison;
  unirackComm_t comms[2] = {reinterpret_cast<unirackComm_t>(&nobody), nullptr};
  ::setenv("UNIRACK_SUM_SHAPE", "3", 1);
  EXPECT_EQ(unirackCommInitAll(comms, 2), unirackInvalidArgument);
  ::unsetenv("UNIRACK_SUM_SHAPE");
  EXPECT_NE(std::string(unirackGetLastError(nullptr)).find("names 3 ranks of 2"), std::string::npos)
      << unirackGetLastError(nullptr);
  for (unirackComm_t comm : comms) EXPECT_EQ(comm, nullptr);
  ASSERT_EQ(unirackCommInitAll(comms, 2), unirackSuccess);
  for (unirackComm_t comm : comms) EXPECT_EQ(unirackCommDestroy(comm), unirackSuccess);
}

TEST(CApiThreaded, AnEmptyGroupAndEmptyBuffersAreLegal) {
  EXPECT_TRUE(run_ranks(2, [](int rank, unirackComm_t comm) {
    EXPECT_EQ(unirackGroupStart(), 0);
    EXPECT_EQ(unirackGroupEnd(), 0);
    EXPECT_EQ(unirackAllReduce(nullptr, nullptr, 0, unirackInt, unirackSum, comm, nullptr), 0);
    EXPECT_EQ(unirackAllGather(nullptr, nullptr, 0, unirackInt, comm, nullptr), 0);
    if (rank == 0) {
      EXPECT_EQ(unirackSend(nullptr, 0, unirackInt, 1, comm, nullptr), 0);
    } else {
      EXPECT_EQ(unirackRecv(nullptr, 0, unirackInt, 0, comm, nullptr), 0);
    }
  }));
}

}  // namespace
}  // namespace unirack
