#include "collectives/forest/regions.h"

#include <algorithm>
#include <map>

#include "lib/topology/disjoint_sets.h"
#include "lib/topology/reach.h"

namespace unirack {

namespace {

constexpr uint32_t kNobody = UINT32_MAX;
constexpr uint32_t kSeveral = UINT32_MAX - 1;

bool is_switch(const CutNetwork& network, uint32_t place) { return network.members_in[place] == 0; }

class RegionFinder {
 public:
  RegionFinder(const Graph& graph, const CutNetwork& network)
      : graph_(graph), network_(network), domain_of_(network.place_count, kNobody) {}

  ForestRegions find() {
    find_domains_of_places();
    find_domains_of_switches();
    DisjointSets joined(network_.place_count);
    for (const Pipe& pipe : network_.pipes) {
      const uint32_t domain = domain_of_[pipe.a];
      const bool is_within = domain < kSeveral && domain == domain_of_[pipe.b];
      if (is_within && pipe.a_to_b != 0 && pipe.b_to_a != 0) joined.join(pipe.a, pipe.b);
    }
    collect(joined);
    for (ForestRegion& region : found_.regions) {
      find_hub(region);
      found_.domain_of.push_back(static_cast<uint32_t>(found_.domain_of.size()));
    }
    return std::move(found_);
  }

 private:
  void find_domains_of_places() {
    DisjointSets sets(network_.place_count);
    for (const Domain& domain : find_domains(graph_)) {
      const uint32_t first = network_.place_of[domain.members.front()];
      for (const NodeIndex member : domain.members) sets.join(first, network_.place_of[member]);
    }
    for (const uint32_t place : network_.member_places) domain_of_[place] = sets.find(place);
  }

  // Switches that are joined belong to a domain if they touch that one only.
  void find_domains_of_switches() {
    DisjointSets fabrics(network_.place_count);
    for (const Pipe& pipe : network_.pipes) {
      if (is_switch(network_, pipe.a) && is_switch(network_, pipe.b)) fabrics.join(pipe.a, pipe.b);
    }
    std::vector<uint32_t> touched(network_.place_count, kNobody);
    const auto touch = [&](uint32_t place, uint32_t member) {
      uint32_t& domain = touched[fabrics.find(place)];
      if (domain == kNobody) domain = domain_of_[member];
      if (domain != domain_of_[member]) domain = kSeveral;
    };
    for (const Pipe& pipe : network_.pipes) {
      if (is_switch(network_, pipe.a) && !is_switch(network_, pipe.b)) touch(pipe.a, pipe.b);
      if (is_switch(network_, pipe.b) && !is_switch(network_, pipe.a)) touch(pipe.b, pipe.a);
    }
    for (uint32_t place = 0; place < network_.place_count; ++place) {
      if (is_switch(network_, place)) domain_of_[place] = touched[fabrics.find(place)];
    }
  }

  void collect(DisjointSets& joined) {
    std::map<uint32_t, uint32_t> region_of_set;
    found_.region_of.assign(network_.place_count, ForestRegions::kOutside);
    for (const uint32_t place : network_.member_places) {
      const auto next = static_cast<uint32_t>(found_.regions.size());
      const auto [at, is_new] = region_of_set.emplace(joined.find(place), next);
      if (is_new) found_.regions.emplace_back();
      found_.regions[at->second].places.push_back(place);
      found_.region_of[place] = at->second;
    }
    for (uint32_t place = 0; place < network_.place_count; ++place) {
      if (!is_switch(network_, place)) continue;
      const auto at = region_of_set.find(joined.find(place));
      if (at == region_of_set.end()) continue;
      found_.regions[at->second].inner.push_back(place);
      found_.region_of[place] = at->second;
    }
  }

  void find_hub(ForestRegion& region) {
    if (region.places.size() < 2) return;
    std::map<uint32_t, size_t> joined;
    for (const uint32_t place : region.inner) joined[place] = 0;
    for (const Pipe& pipe : network_.pipes) {
      if (pipe.a_to_b == 0 || pipe.b_to_a == 0) continue;
      for (const auto& [one, other] : {std::pair(pipe.a, pipe.b), std::pair(pipe.b, pipe.a)}) {
        const auto at = joined.find(one);
        if (at != joined.end() && !is_switch(network_, other)) ++at->second;
      }
    }
    for (const auto& [place, count] : joined) {
      if (count == region.places.size() && region.hub == kNoPlace) region.hub = place;
    }
  }

  const Graph& graph_;
  const CutNetwork& network_;
  std::vector<uint32_t> domain_of_;  // by place; a domain is named by one of its places
  ForestRegions found_;
};

}  // namespace

ForestRegions find_regions(const Graph& graph, const CutNetwork& network) {
  return RegionFinder(graph, network).find();
}

ForestRegions single_regions(const CutNetwork& network, const ForestRegions& found) {
  ForestRegions single;
  single.region_of.assign(network.place_count, ForestRegions::kOutside);
  for (const uint32_t place : network.member_places) {
    single.region_of[place] = static_cast<uint32_t>(single.regions.size());
    single.regions.push_back({{place}, {}, kNoPlace});
    single.domain_of.push_back(found.domain_of[found.region_of[place]]);
  }
  return single;
}

}  // namespace unirack
