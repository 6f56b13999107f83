#include "lib/topology/topology.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "lib/base/hash.h"

namespace unirack {

namespace {

Error bad(const std::string& why) { return make_error(Code::invalid_argument, "topology: " + why); }

size_t square(int rank_count) {
  return static_cast<size_t>(rank_count) * static_cast<size_t>(rank_count);
}

Status check(const TopologySpec& spec) {
  if (spec.rank_count < 1) return bad("needs at least one rank");
  const size_t links = square(spec.rank_count);
  if (spec.homes.size() != static_cast<size_t>(spec.rank_count)) {
    return bad("needs one home a rank");
  }
  if (spec.transports.size() != links || spec.load_store.size() != links) {
    return bad("needs one link for every pair of ranks");
  }
  const auto ranks = static_cast<size_t>(spec.rank_count);
  for (size_t a = 0; a < ranks; ++a) {
    for (size_t b = 0; b < a; ++b) {
      if (spec.load_store[a * ranks + b] != spec.load_store[b * ranks + a] ||
          spec.transports[a * ranks + b] != spec.transports[b * ranks + a]) {
        return bad("ranks " + std::to_string(b) + " and " + std::to_string(a) +
                   " disagree about their link");
      }
    }
  }
  if (spec.sum_group_sizes.empty()) return ok_status();
  uint64_t total = 0;
  for (const uint32_t size : spec.sum_group_sizes) {
    if (size == 0) return bad("a group of the sum shape is empty");
    total += size;
  }
  if (total != ranks) {
    return bad("the sum shape names " + std::to_string(total) + " ranks of " +
               std::to_string(ranks));
  }
  return ok_status();
}

// Each rank joins the first domain all of whose members it reaches by load/store.
std::vector<std::vector<Rank>> find_domains(const TopologySpec& spec) {
  std::vector<std::vector<Rank>> domains;
  const auto ranks = static_cast<size_t>(spec.rank_count);
  for (size_t rank = 0; rank < ranks; ++rank) {
    const auto home = std::find_if(domains.begin(), domains.end(), [&](const auto& domain) {
      return std::all_of(domain.begin(), domain.end(), [&](Rank member) {
        return spec.load_store[rank * ranks + static_cast<size_t>(member)] != 0;
      });
    });
    if (home == domains.end()) {
      domains.push_back({static_cast<Rank>(rank)});
    } else {
      home->push_back(static_cast<Rank>(rank));
    }
  }
  return domains;
}

std::vector<std::vector<Rank>> find_sum_groups(const TopologySpec& spec) {
  std::vector<std::vector<Rank>> groups;
  if (!spec.sum_group_sizes.empty()) {
    Rank next = 0;
    for (const uint32_t size : spec.sum_group_sizes) {
      auto& group = groups.emplace_back(size);
      std::iota(group.begin(), group.end(), next);
      next += static_cast<Rank>(size);
    }
    return groups;
  }
  std::map<std::string_view, size_t> group_of;
  for (Rank rank = 0; rank < spec.rank_count; ++rank) {
    const auto [at, is_new] =
        group_of.try_emplace(spec.homes[static_cast<size_t>(rank)], groups.size());
    if (is_new) groups.emplace_back();
    groups[at->second].push_back(rank);
  }
  return groups;
}

uint64_t hash_of(const TopologySpec& spec) {
  Hash64 hash;
  hash.add(static_cast<uint64_t>(spec.rank_count)).add(uint64_t{spec.rail_count});
  for (const std::string& home : spec.homes) hash.add(std::string_view(home));
  for (const std::string& transport : spec.transports) hash.add(std::string_view(transport));
  for (const uint8_t reach : spec.load_store) hash.add(uint64_t{reach});
  for (const uint32_t size : spec.sum_group_sizes) hash.add(uint64_t{size});
  return hash.value();
}

// "0-3,6": ascending ranks with runs joined.
std::string ranks_text(const std::vector<Rank>& ranks) {
  std::string text;
  for (size_t i = 0; i < ranks.size();) {
    size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(ranks[i]);
    if (last > i) text += '-' + std::to_string(ranks[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace

Result<Topology> Topology::make(TopologySpec spec) {
  UNIRACK_TRY(check(spec));
  Topology topology;
  topology.domains_ = find_domains(spec);
  topology.domain_of_.resize(static_cast<size_t>(spec.rank_count));
  for (size_t i = 0; i < topology.domains_.size(); ++i) {
    for (const Rank rank : topology.domains_[i]) {
      topology.domain_of_[static_cast<size_t>(rank)] = static_cast<int>(i);
    }
  }
  topology.sum_groups_ = find_sum_groups(spec);
  topology.hash_ = hash_of(spec);
  topology.spec_ = std::move(spec);
  return topology;
}

Topology Topology::of_domains(const std::vector<uint32_t>& sizes) {
  TopologySpec spec;
  for (size_t domain = 0; domain < sizes.size(); ++domain) {
    spec.homes.insert(spec.homes.end(), sizes[domain], "domain" + std::to_string(domain));
  }
  spec.rank_count = static_cast<int>(spec.homes.size());
  const size_t ranks = spec.homes.size();
  for (size_t i = 0; i < ranks * ranks; ++i) {
    const bool same = spec.homes[i / ranks] == spec.homes[i % ranks];
    const bool self = i / ranks == i % ranks;
    spec.load_store.push_back(same ? 1 : 0);
    spec.transports.emplace_back(self ? "" : (same ? "shm" : "tcp"));
  }
  return make(std::move(spec)).value();
}

RankLink Topology::link(Rank from, Rank to) const {
  const size_t at =
      static_cast<size_t>(from) * static_cast<size_t>(spec_.rank_count) + static_cast<size_t>(to);
  if (from == to) return {LinkClass::self, "", 1};
  if (spec_.load_store[at] != 0) return {LinkClass::load_store, spec_.transports[at], 1};
  return {LinkClass::message, spec_.transports[at], spec_.rail_count};
}

std::string Topology::to_text() const {
  std::string text = std::to_string(rank_count()) + " ranks in " + std::to_string(domains_.size()) +
                     (domains_.size() == 1 ? " domain\n" : " domains\n");
  for (size_t i = 0; i < domains_.size(); ++i) {
    const auto& domain = domains_[i];
    text += "domain " + std::to_string(i) + ": ranks " + ranks_text(domain);
    if (domain.size() > 1) text += " over " + link(domain[0], domain[1]).transport;
    text += '\n';
  }
  std::set<std::string> joints;
  for (size_t a = 0; a < domains_.size(); ++a) {
    for (size_t b = a + 1; b < domains_.size(); ++b) {
      const RankLink joint = link(domains_[a][0], domains_[b][0]);
      joints.insert(joint.transport + ", " + std::to_string(joint.rail_count) +
                    (joint.rail_count == 1 ? " rail\n" : " rails\n"));
    }
  }
  for (const std::string& joint : joints) text += "between domains: " + joint;
  text += "sum shape:";
  for (const auto& group : sum_groups_) text += " (" + ranks_text(group) + ")";
  return text + '\n';
}

}  // namespace unirack
