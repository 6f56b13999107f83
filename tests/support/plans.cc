#include "tests/support/plans.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "tests/support/graphs.h"

namespace unirack::testing {

Topology pool_of(const std::vector<uint32_t>& shape) {
  GraphBuilder builder;
  TopologySpec spec;
  const NodeIndex between = add(builder, NodeKind::leaf, "leaf");
  for (size_t domain = 0; domain < shape.size(); ++domain) {
    const std::string name = "domain" + std::to_string(domain);
    const NodeIndex within = add(builder, NodeKind::network_switch, name + "/switch");
    for (uint32_t i = 0; i < shape[domain]; ++i) {
      const auto rank = static_cast<int32_t>(spec.homes.size());
      const NodeIndex node = add(builder, NodeKind::rank, name + "/rank" + std::to_string(i), name);
      builder.node(node).rank = rank;
      builder.node(node).domain = name;
      const uint64_t rate = 1'000'000'000;
      builder.join({node, within, LinkKind::shared_memory, 8 * rate});
      builder.join({node, between, LinkKind::ethernet, rate});
      spec.homes.push_back(name);
    }
  }
  spec.rank_count = static_cast<int>(spec.homes.size());
  const Topology shape_only = Topology::of_domains(shape);
  for (Rank from = 0; from < spec.rank_count; ++from) {
    for (Rank to = 0; to < spec.rank_count; ++to) {
      const RankLink link = shape_only.link(from, to);
      spec.transports.push_back(from == to ? "" : link.transport);
      spec.load_store.push_back(link.link_class != LinkClass::message ? 1 : 0);
    }
  }
  spec.graph = build(std::move(builder));
  return Topology::make(std::move(spec)).value();
}

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
    const Topology topology = pool_of(shape);
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

uint32_t longest_chain(const Schedule& schedule) {
  const int ranks = schedule.header().rank_count;
  std::map<std::pair<Rank, uint32_t>, uint32_t> sent;  // (writer, value) -> messages up to it
  std::vector<size_t> next(static_cast<size_t>(ranks), 0);
  std::vector<uint32_t> chain(static_cast<size_t>(ranks), 0);
  for (bool moved = true; moved;) {
    moved = false;
    for (Rank rank = 0; rank < ranks; ++rank) {
      const auto index = static_cast<size_t>(rank);
      const auto& steps = schedule.program_view(rank).lanes[0].steps;
      for (; next[index] < steps.size(); ++next[index], moved = true) {
        const Step& step = steps[next[index]];
        if (step.op == Op::signal) sent[{rank, step.value.v}] = chain[index] + 1;
        if (step.op != Op::wait || step.value.v == 0 || step.value.tiles_back > 0) continue;
        const auto message = sent.find({step.peer, step.value.v});
        if (message == sent.end()) break;
        chain[index] = std::max(chain[index], message->second);
      }
    }
  }
  return *std::max_element(chain.begin(), chain.end());
}

}  // namespace unirack::testing
