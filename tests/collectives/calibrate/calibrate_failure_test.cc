// Peers that die or stop while links are measured, in real processes with real control
// connections: joining fails in time and names them.
#include <gmock/gmock.h>

#include <array>
#include <csignal>

#include "collectives/communicator.h"
#include "lib/base/hash.h"
#include "tests/support/two_processes.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using testing::TwoProcesses;
using testing::Wire;

Config config_of(const char* transport) {
  Config config;
  config.transports = {transport};
  config.interfaces = {"lo"};
  config.peer_timeout = milliseconds(400);
  config.join_timeout = milliseconds(15'000);
  return config;
}

// Joins as any rank does, up to where links are measured; then something happens to it.
void join_and_end(const UniqueId& id, const Config& config, int signal) {
  TransportContext context;
  context.rank = 1;
  context.rank_count = 2;
  context.instance = hash64(id.key().view());
  context.job_key = id.key().view();
  context.config = &config;
  auto fabric = Fabric::open(context);
  ASSERT_TRUE(fabric) << fabric.error().to_string();
  JoinRequest join;
  join.id = id;
  join.rank = 1;
  join.rank_count = 2;
  join.card = encode_card((*fabric)->card(config.domain));
  join.config = &config;
  join.progress = [] { return kNoDeadline; };
  auto control = ControlPlane::join(join);
  ASSERT_TRUE(control) << control.error().to_string();
  const Deadline deadline = deadline_in(config.join_timeout);
  ASSERT_TRUE((*fabric)->connect(**control, config, deadline));
  // What to do, then the local measurement.
  ASSERT_TRUE((*control)->exchange({}, deadline));
  ASSERT_TRUE((*control)->exchange({}, deadline));
  ::raise(signal);
}

class CalibrateFailure : public ::testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(CalibrateFailure, NamesWhoIsGone) {
  const char* const transport = std::get<0>(GetParam());
  const int signal = std::get<1>(GetParam());
  const Config config = config_of(transport);
  TwoProcesses processes([&](const Wire& wire) {
    const auto id = UniqueId::parse(wire.receive());
    ASSERT_TRUE(id);
    join_and_end(*id, config, signal);
  });
  const auto id = open_pool(config);
  ASSERT_TRUE(id) << id.error().to_string();
  const auto bytes = id->serialise();
  processes.wire().send(bytes);
  const TimePoint begin = now();
  const auto communicator = Communicator::create(*id, 0, 2, config);
  ASSERT_FALSE(communicator);
  EXPECT_EQ(communicator.error().culprit, 1) << communicator.error().to_string();
  EXPECT_EQ(communicator.code(), signal == SIGKILL ? Code::peer_failed : Code::timeout)
      << communicator.error().to_string();
  EXPECT_LT(to_ms(now() - begin), 10'000);
}

INSTANTIATE_TEST_SUITE_P(Peers, CalibrateFailure,
                         ::testing::Combine(::testing::Values("shm", "tcp"),
                                            ::testing::Values(SIGKILL, SIGSTOP)));

}  // namespace
}  // namespace unirack
