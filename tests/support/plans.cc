#include "tests/support/plans.h"

#include <set>

namespace unirack::testing {

std::string shape_text(const std::vector<uint32_t>& shape) {
  std::string text;
  for (const uint32_t size : shape) text += (text.empty() ? "" : "+") + std::to_string(size);
  return text;
}

std::vector<Plan> plans_of(const Algorithm& algorithm,
                           const std::vector<std::vector<uint32_t>>& shapes,
                           const std::vector<int>& lanes) {
  std::vector<Plan> plans;
  for (const auto& shape : shapes) {
    const Topology topology = Topology::of_domains(shape);
    std::set<uint64_t> known;
    for (const Rank root : std::set<Rank>{0, topology.rank_count() - 1}) {
      for (const int lane_count : lanes) {
        for (const bool symmetric : {false, true}) {
          Request request;
          request.collective = algorithm.collective;
          request.root = root;
          request.symmetric = symmetric;
          if (!algorithm.unfit(topology, request).empty()) continue;
          auto schedule = algorithm.generate(topology, request, lane_count);
          if (!schedule || !known.insert(schedule->hash()).second) continue;
          plans.push_back({std::string(collective_name(algorithm.collective)) + " " +
                               std::string(algorithm.name) + " " + shape_text(shape) + " root " +
                               std::to_string(root) + " lanes " + std::to_string(lane_count),
                           std::move(schedule).value()});
        }
      }
    }
  }
  return plans;
}

}  // namespace unirack::testing
