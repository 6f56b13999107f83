#include "collectives/record.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

TEST(Record, PlacesOfTheRingDoNotOverlap) {
  const uint64_t bytes = Inbox::bytes(3);
  for (Rank writer = 0; writer < 3; ++writer) {
    for (uint64_t meeting = 0; meeting < 2 * kRingPlaces; ++meeting) {
      EXPECT_EQ(Inbox::record(writer, meeting), Inbox::record(writer, meeting + kRingPlaces));
      EXPECT_LE(Inbox::counter(writer, meeting, kLanesMax - 1) + sizeof(uint64_t), bytes);
    }
  }
  EXPECT_EQ(Inbox::record(1, 0), Inbox::record(0, kRingPlaces - 1) + Inbox::kPlaceBytes);
  EXPECT_EQ(Inbox::counter(0, 1, 0), Inbox::record(0, 1) + sizeof(Record));
}

TEST(Record, LaterMeetingsAlwaysHaveHigherCounters) {
  const uint64_t last = (uint64_t{1} << kCounterBits) - 1;
  EXPECT_LT(counter_value(7, last), counter_value(8, 0));
}

TEST(Record, RequestsAreDescribedInWords) {
  Request request;
  request.collective = Collective::all_reduce;
  request.type = DataType::float32;
  EXPECT_EQ(describe_request(pack_request(request), 1024), "all_reduce float sum x 1024");
  request.collective = Collective::broadcast;
  request.root = 3;
  EXPECT_EQ(describe_request(pack_request(request), 8), "broadcast float x 8 root 3");
  EXPECT_EQ(describe_request(~uint64_t{0}, 8), "an unknown operation");
}

TEST(Record, DifferentCallsHaveDifferentRequests) {
  Request a;
  a.collective = Collective::reduce;
  Request b = a;
  b.root = 1;
  EXPECT_NE(pack_request(a), pack_request(b));
  b = a;
  b.op = ReduceOp::max;
  EXPECT_NE(pack_request(a), pack_request(b));
  b = a;
  b.symmetric = true;
  EXPECT_NE(pack_request(a), pack_request(b));
}

}  // namespace
}  // namespace unirack
