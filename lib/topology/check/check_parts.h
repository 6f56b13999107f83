// What the checks of a graph are made of, one file each, and what they share: each check adds
// findings, and nodes that a finding has explained are not reported again for its consequences.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lib/topology/check/check.h"

namespace unirack {

class Checkup {
 public:
  explicit Checkup(const Graph& checked) : graph(checked) {}

  void add(Severity severity, std::string name, std::string evidence, std::string advice,
           std::vector<NodeIndex> nodes);
  // "a, b, c and 4 more", in natural order.
  std::string names_of(std::vector<NodeIndex> nodes) const;

  const Graph& graph;
  std::vector<Finding> findings;
  std::set<std::string> explained_hosts;  // lack a NIC for a reason that is reported
};

inline constexpr size_t kListedMax = 8;

// "a, b and 4 more"
std::string list_up(const std::vector<std::string>& parts, size_t listed_max = kListedMax);
// "50 GB/s"
std::string gigabytes(uint64_t bytes_per_s);
// "1 host", "3 hosts"
std::string counted(size_t count, std::string_view noun);

// What most have; of equally common ones the larger.
template <class Key>
Key most_common(const std::map<Key, size_t>& counts) {
  Key best{};
  size_t most = 0;
  for (const auto& [key, count] : counts) {
    if (count >= most) {
      best = key;
      most = count;
    }
  }
  return best;
}

bool is_network_link(LinkKind kind);

void check_links(Checkup& checkup);
void check_fabric(Checkup& checkup);
void check_hosts(Checkup& checkup);
void check_gpus(Checkup& checkup);

}  // namespace unirack
