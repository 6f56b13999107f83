#include "collectives/calibrate/turns.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "collectives/simulate/network.h"

namespace unirack {

namespace {

// A pair within each domain and one between each and the next: every kind that joins domains in a
// row is among them.
std::vector<MeasuredPair> candidates(const Topology& topology) {
  std::vector<MeasuredPair> pairs;
  const auto& domains = topology.domains();
  for (size_t i = 0; i < domains.size(); ++i) {
    if (domains[i].size() > 1) pairs.push_back({domains[i][0], domains[i][1]});
    if (i + 1 < domains.size()) pairs.push_back({domains[i][0], domains[i + 1][0]});
  }
  return pairs;
}

}  // namespace

std::vector<MeasureTurn> measure_turns(const Topology& topology,
                                       const std::vector<std::string>& hosts) {
  std::vector<MeasuredPair> pairs = candidates(topology);
  const auto host = [&](Rank rank) { return std::string_view(hosts[static_cast<size_t>(rank)]); };
  std::stable_partition(pairs.begin(), pairs.end(), [&](const MeasuredPair& pair) {
    return host(pair.leader) != host(pair.follower);
  });
  std::map<LinkKind, MeasureTurn> turns;
  std::map<LinkKind, std::set<std::string_view>> taken;
  for (const MeasuredPair& pair : pairs) {
    const RankLink link = topology.link(pair.leader, pair.follower);
    const bool is_inside = link.link_class == LinkClass::load_store;
    const LinkKind kind =
        link_kind_of(link.transport, is_inside ? LinkKind::shared_memory : LinkKind::ethernet);
    MeasureTurn& turn = turns[kind];
    turn.kind = kind;
    auto& busy = taken[kind];
    if (turn.pairs.size() >= kMeasuredPairsMax || busy.contains(host(pair.leader)) ||
        busy.contains(host(pair.follower))) {
      continue;
    }
    busy.insert({host(pair.leader), host(pair.follower)});
    turn.pairs.push_back(pair);
  }
  std::vector<MeasureTurn> ordered;
  for (auto& [kind, turn] : turns) ordered.push_back(std::move(turn));
  return ordered;
}

std::vector<Rank> measuring_ranks(const std::vector<std::string>& hosts) {
  std::vector<Rank> ranks;
  std::set<std::string_view> seen;
  for (size_t i = 0; i < hosts.size() && ranks.size() < kMeasuredPairsMax; ++i) {
    if (seen.insert(hosts[i]).second) ranks.push_back(static_cast<Rank>(i));
  }
  return ranks;
}

}  // namespace unirack
