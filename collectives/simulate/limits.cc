#include "collectives/simulate/limits.h"

#include <algorithm>

namespace unirack {

namespace {

constexpr uint32_t kNobody = UINT32_MAX;
constexpr uint32_t kSeveral = UINT32_MAX - 1;
constexpr unsigned kFineBits = 16;

class LimitFinder {
 public:
  explicit LimitFinder(Model& model)
      : model_(model),
        may_limit_(model.bandwidths.size(), true),
        is_port_(model.bandwidths.size(), false) {}

  void run() {
    look_from(&ModelWay::source);
    look_from(&ModelWay::target);
    for (ModelWay& way : model_.ways) {
      const auto first = model_.uses.begin() + way.first_use;
      const auto limits = std::stable_partition(
          first, first + way.use_count,
          [&](const FlowUse& use) { return may_limit_[use.resource] || is_port_[use.resource]; });
      way.limit_count = static_cast<uint32_t>(limits - first);
    }
  }

 private:
  std::span<const FlowUse> uses(const ModelWay& way) const {
    return std::span(model_.uses).subspan(way.first_use, way.use_count);
  }

  // Whether `a` lets less of a flow through than `b`.
  bool is_tighter(const FlowUse& a, const FlowUse& b) const {
    return WideUnsigned{model_.bandwidths[a.resource]} * b.load <
           WideUnsigned{model_.bandwidths[b.resource]} * a.load;
  }

  // Ports are what only one class of ranks sends over, or only one receives over; a way's is the
  // tightest of them. Whatever is wide enough for all that the ports of its ways let through at
  // once is never full.
  void look_from(uint32_t ModelWay::*end) {
    std::vector<uint32_t> user(model_.bandwidths.size(), kNobody);
    for (const ModelWay& way : model_.ways) {
      for (const FlowUse& use : uses(way)) {
        uint32_t& known = user[use.resource];
        known = known == kNobody || known == way.*end ? way.*end : kSeveral;
      }
    }
    std::vector<bool> is_open(model_.bandwidths.size(), false);  // a way over it has no port
    std::vector<std::pair<uint32_t, uint32_t>> ways;             // by port
    for (uint32_t i = 0; i < model_.ways.size(); ++i) {
      const FlowUse* port = nullptr;
      for (const FlowUse& use : uses(model_.ways[i])) {
        if (user[use.resource] == kSeveral) continue;
        if (port == nullptr || is_tighter(use, *port)) port = &use;
      }
      if (port != nullptr) {
        ways.emplace_back(port->resource, i);
        is_port_[port->resource] = true;
        continue;
      }
      for (const FlowUse& use : uses(model_.ways[i])) is_open[use.resource] = true;
    }
    std::sort(ways.begin(), ways.end());
    const auto demand = sum_demand(ways);
    for (size_t i = 0; i < demand.size(); ++i) {
      const WideUnsigned capacity = WideUnsigned{model_.bandwidths[i]} << kFineBits;
      if (!is_open[i] && demand[i] <= capacity) may_limit_[i] = false;
    }
  }

  // By resource: what all ports together let through to it at most.
  std::vector<WideUnsigned> sum_demand(
      const std::vector<std::pair<uint32_t, uint32_t>>& ways) const {
    std::vector<WideUnsigned> demand(model_.bandwidths.size(), 0);
    std::vector<WideUnsigned> most(model_.bandwidths.size(), 0);
    std::vector<uint32_t> reached;
    for (size_t i = 0; i < ways.size(); ++i) {
      const uint32_t port = ways[i].first;
      const auto over = uses(model_.ways[ways[i].second]);
      const auto at = std::find_if(over.begin(), over.end(),
                                   [&](const FlowUse& use) { return use.resource == port; });
      const WideUnsigned rate = WideUnsigned{model_.bandwidths[port]} << kFineBits;
      for (const FlowUse& use : over) {
        if (most[use.resource] == 0) reached.push_back(use.resource);
        most[use.resource] = std::max(most[use.resource], rate * use.load / at->load);
      }
      if (i + 1 < ways.size() && ways[i + 1].first == port) continue;
      for (const uint32_t resource : reached) {
        demand[resource] += most[resource];
        most[resource] = 0;
      }
      reached.clear();
    }
    return demand;
  }

  Model& model_;
  std::vector<bool> may_limit_;
  std::vector<bool> is_port_;
};

}  // namespace

void find_limits(Model& model) { LimitFinder(model).run(); }

}  // namespace unirack
