// Single links: trained below what they can do, or different in their two directions.
#include <fmt/format.h>

#include "lib/topology/check/check_parts.h"

namespace unirack {
namespace {

// "2.5 GT/s x16, possible 16 GT/s x16": as wide as it can be, only slower.
bool only_slower(std::string_view pcie) {
  const auto lanes_in = [](std::string_view text) {
    const size_t at = text.rfind(" x");
    return at == std::string_view::npos ? std::string_view() : text.substr(at + 2);
  };
  const size_t comma = pcie.find(',');
  if (comma == std::string_view::npos) return false;
  const auto trained = lanes_in(pcie.substr(0, comma));
  return !trained.empty() && trained == lanes_in(pcie.substr(comma));
}

// The end that names the link: a device rather than what is above it.
NodeIndex device_of(const Graph& graph, const Link& link) {
  const auto distance = [&](NodeIndex node) {
    switch (graph.node(node).kind) {
      case NodeKind::gpu:
      case NodeKind::nic:
        return 0;
      case NodeKind::pcie:
      case NodeKind::leaf:
        return 1;
      default:
        return 2;
    }
  };
  return distance(link.to) < distance(link.from) ? link.to : link.from;
}

void trained_down(Checkup& checkup) {
  const Graph& graph = checkup.graph;
  struct Group {
    std::vector<NodeIndex> nodes;
    std::string link;
  };
  std::map<std::tuple<bool, LinkKind, uint64_t, uint64_t>, Group> groups;
  std::set<std::pair<NodeIndex, NodeIndex>> seen;
  for (const Link& link : graph.links()) {
    if (link.bandwidth == 0 || link.capable <= link.bandwidth) continue;
    if (!seen.insert(std::minmax(link.from, link.to)).second) continue;
    const NodeIndex device = device_of(graph, link);
    const Node& node = graph.node(device);
    const bool idle = node.kind == NodeKind::gpu && only_slower(node.attribute("pcie"));
    Group& group = groups[{idle, link.kind, link.bandwidth, link.capable}];
    group.nodes.push_back(device);
    if (group.link.empty()) group.link = node.attribute("pcie");
  }
  for (const auto& [key, group] : groups) {
    const auto& [idle, kind, trained, possible] = key;
    const std::string evidence =
        fmt::format("{} {} {} {}, could have {}{}: {}", group.nodes.size(), to_text(kind),
                    group.nodes.size() == 1 ? "link has" : "links have", gigabytes(trained),
                    gigabytes(possible), group.link.empty() ? "" : fmt::format(" ({})", group.link),
                    checkup.names_of(group.nodes));
    if (idle) {
      checkup.add(Severity::info, "pcie_slowed", evidence,
                  "GPUs slow their link down when idle: read again under load", group.nodes);
    } else {
      checkup.add(Severity::warning, "trained_down", evidence,
                  "reseat the card, or set the slot's speed and width in the firmware; sudo lspci "
                  "-vv -s BUS_ID | grep Lnk shows both ends",
                  group.nodes);
    }
  }
}

// Cables have two equal directions; what differs is a port that lost lanes one way.
void asymmetric(Checkup& checkup) {
  const Graph& graph = checkup.graph;
  std::map<std::pair<NodeIndex, NodeIndex>, uint64_t> totals;
  for (const Link& link : graph.links()) {
    if (is_network_link(link.kind) || link.kind == LinkKind::nvlink) {
      totals[{link.from, link.to}] += link.total_bandwidth();
    }
  }
  std::vector<NodeIndex> nodes;
  std::vector<std::string> texts;
  for (const auto& [ends, total] : totals) {
    if (ends.first > ends.second && totals.contains({ends.second, ends.first})) continue;
    const auto back = totals.find({ends.second, ends.first});
    const uint64_t other = back == totals.end() ? 0 : back->second;
    if (total == other) continue;
    nodes.push_back(ends.first);
    nodes.push_back(ends.second);
    texts.push_back(fmt::format("{} to {} {}, back {}", graph.node(ends.first).name,
                                graph.node(ends.second).name, gigabytes(total), gigabytes(other)));
  }
  if (nodes.empty()) return;
  checkup.add(Severity::warning, "asymmetric_link",
              fmt::format("{} not as fast back as forth: {}", counted(texts.size(), "link"),
                          list_up(texts)),
              "read the width and speed of both ports: iblinkinfo, or ethtool", nodes);
}

}  // namespace

void check_links(Checkup& checkup) {
  trained_down(checkup);
  asymmetric(checkup);
}

}  // namespace unirack
