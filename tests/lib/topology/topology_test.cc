#include "lib/topology/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TopologySpec interleaved() {
  TopologySpec spec;
  spec.rank_count = 4;
  spec.homes = {"a", "b", "a", "b"};
  for (int i = 0; i < 16; ++i) {
    const bool same = (i / 4) % 2 == (i % 4) % 2;
    spec.load_store.push_back(same ? 1 : 0);
    spec.transports.emplace_back(i / 4 == i % 4 ? "" : (same ? "shm" : "tcp"));
  }
  spec.rail_count = 2;
  return spec;
}

TEST(TopologyTest, DomainsFollowLoadStoreReach) {
  const auto topology = Topology::make(interleaved());
  ASSERT_TRUE(topology);
  EXPECT_THAT(topology->domains(), ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
  EXPECT_EQ(topology->domain_of(3), 1);
  EXPECT_EQ(topology->link(0, 0).link_class, LinkClass::self);
  EXPECT_EQ(topology->link(0, 2).link_class, LinkClass::load_store);
  EXPECT_EQ(topology->link(0, 1).link_class, LinkClass::message);
  EXPECT_EQ(topology->link(0, 1).transport, "tcp");
  EXPECT_EQ(topology->link(0, 1).rail_count, 2u);
}

TEST(TopologyTest, SumGroupsFollowHomesAndNotTransports) {
  TopologySpec spec = interleaved();
  spec.load_store.assign(16, 1);
  const auto topology = Topology::make(spec);
  ASSERT_TRUE(topology);
  EXPECT_EQ(topology->domains().size(), 1u);
  EXPECT_THAT(topology->sum_groups(), ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
}

TEST(TopologyTest, SumGroupsCanBePinned) {
  TopologySpec spec = interleaved();
  spec.sum_group_sizes = {1, 3};
  const auto topology = Topology::make(spec);
  ASSERT_TRUE(topology);
  EXPECT_THAT(topology->sum_groups(), ElementsAre(ElementsAre(0), ElementsAre(1, 2, 3)));
  EXPECT_NE(topology->hash(), Topology::make(interleaved())->hash());
}

// Reach that is not transitive: every domain is still a clique.
TEST(TopologyTest, DomainIsACliqueOfLoadStore) {
  TopologySpec spec;
  spec.rank_count = 3;
  spec.homes = {"a", "a", "a"};
  spec.load_store = {1, 1, 0, 1, 1, 1, 0, 1, 1};
  spec.transports = {"", "shm", "tcp", "shm", "", "shm", "tcp", "shm", ""};
  const auto topology = Topology::make(spec);
  ASSERT_TRUE(topology);
  EXPECT_THAT(topology->domains(), ElementsAre(ElementsAre(0, 1), ElementsAre(2)));
}

TEST(TopologyTest, RefusesWhatDoesNotFit) {
  TopologySpec spec = interleaved();
  spec.sum_group_sizes = {2, 1};
  EXPECT_THAT(Topology::make(spec).error().detail, HasSubstr("names 3 ranks of 4"));
  spec.sum_group_sizes = {4, 0};
  EXPECT_THAT(Topology::make(spec).error().detail, HasSubstr("is empty"));
  spec = interleaved();
  spec.homes.pop_back();
  EXPECT_THAT(Topology::make(spec).error().detail, HasSubstr("one home a rank"));
  spec = interleaved();
  spec.transports.pop_back();
  EXPECT_THAT(Topology::make(spec).error().detail, HasSubstr("every pair"));
  spec = interleaved();
  spec.load_store[1] = 1;
  EXPECT_THAT(Topology::make(spec).error().detail, HasSubstr("ranks 0 and 1 disagree"));
  spec = interleaved();
  spec.rank_count = 0;
  EXPECT_THAT(Topology::make(spec).error().detail, HasSubstr("at least one rank"));
}

TEST(TopologyTest, OfDomainsAndText) {
  const Topology topology = Topology::of_domains({2, 3});
  EXPECT_THAT(topology.domains(), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3, 4)));
  EXPECT_EQ(topology.to_text(),
            "5 ranks in 2 domains\n"
            "domain 0: ranks 0-1 over shm\n"
            "domain 1: ranks 2-4 over shm\n"
            "between domains: tcp, 1 rail\n"
            "sum shape: (0-1) (2-4)\n");
  EXPECT_EQ(topology.hash(), Topology::of_domains({2, 3}).hash());
  EXPECT_NE(topology.hash(), Topology::of_domains({3, 2}).hash());
}

}  // namespace
}  // namespace unirack
