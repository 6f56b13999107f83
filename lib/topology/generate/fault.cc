#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "lib/topology/formats/text_reader.h"
#include "lib/topology/generate/generate.h"
#include "lib/topology/generate/parameters.h"

namespace unirack {

namespace {

Error bad(std::string why) { return make_error(Code::invalid_argument, std::move(why)); }

class Faults {
 public:
  explicit Faults(const Graph& graph) : graph_(graph), builder_(graph) {}

  Status add(std::string_view fault) {
    const size_t colon = fault.find(':');
    const std::string_view what = fault.substr(0, colon);
    if (colon != std::string_view::npos) {
      const std::string_view which = fault.substr(colon + 1);
      if (what == "host") return take_down_host(which);
      if (what == "link") return take_down_link(which);
      if (what == "partial-rack") return shorten_rack(which);
      for (const NodeKind kind : {NodeKind::gpu, NodeKind::nic, NodeKind::leaf, NodeKind::spine}) {
        if (what == to_text(kind)) return take_down_node(kind, which);
      }
    }
    return bad(
        fmt::format("no fault '{}': expected gpu:N, nic:N, leaf:N, spine:N (or names), "
                    "host:NAME, link:A:B or partial-rack:N",
                    fault));
  }

  Result<Graph> build(std::string_view fault) {
    // What is at the end of a link that is down is not reached over it.
    for (Link& link : builder_.links()) {
      const bool ends_up = builder_.node(link.from).health != Health::down &&
                           builder_.node(link.to).health != Health::down;
      if (!ends_up) link.health = Health::down;
    }
    return std::move(builder_).build(fmt::format("{} without {}", graph_.origin(), fault));
  }

 private:
  void take_down(NodeIndex node) { builder_.node(node).health = Health::down; }

  Status take_down_node(NodeKind kind, std::string_view which) {
    if (const auto named = graph_.find(which); named && graph_.node(*named).kind == kind) {
      take_down(*named);
      return ok_status();
    }
    std::vector<NodeIndex> all;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      if (graph_.node(i).kind == kind) all.push_back(i);
    }
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(which.data(), which.data() + which.size(), number);
    if (error != std::errc() || end != which.data() + which.size() || number >= all.size()) {
      return bad(fmt::format("no {} '{}': expected a name or a number below {}", to_text(kind),
                             which, all.size()));
    }
    take_down(all[number]);
    return ok_status();
  }

  Status take_down_host(std::string_view name) {
    bool found = false;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      if (name.empty() || graph_.node(i).host != name) continue;
      take_down(i);
      found = true;
    }
    if (found) return ok_status();
    return bad(fmt::format("no machine is named '{}'", name));
  }

  // Names may have colons themselves.
  Status take_down_link(std::string_view ends) {
    for (size_t colon = ends.find(':'); colon != std::string_view::npos;
         colon = ends.find(':', colon + 1)) {
      const auto a = graph_.find(ends.substr(0, colon));
      const auto b = graph_.find(ends.substr(colon + 1));
      if (!a || !b) continue;
      bool found = false;
      for (Link& link : builder_.links()) {
        if ((link.from != *a || link.to != *b) && (link.from != *b || link.to != *a)) continue;
        link.health = Health::down;
        found = true;
      }
      if (found) return ok_status();
      return bad(
          fmt::format("no link joins '{}' and '{}'", graph_.node(*a).name, graph_.node(*b).name));
    }
    return bad(fmt::format("expected link:A:B with the names of two nodes, found 'link:{}'", ends));
  }

  Status shorten_rack(std::string_view text) {
    const uint32_t kept = UNIRACK_TRY(parse_count(text, "partial-rack", 0, UINT32_MAX));
    std::string rack;
    for (const Node& node : graph_.nodes()) {
      if (node.kind == NodeKind::gpu && !node.rack.empty()) rack = node.rack;
    }
    if (rack.empty()) return bad("partial-rack: no GPU is in a rack");
    uint32_t count = 0;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (node.kind != NodeKind::gpu || node.rack != rack || ++count <= kept) continue;
      take_down(i);
      for (const LinkIndex link : graph_.links_from(i)) {
        const NodeIndex other = graph_.link(link).to;
        if (graph_.node(other).kind == NodeKind::nic) take_down(other);
      }
    }
    if (count > kept) return ok_status();
    return bad(fmt::format("partial-rack:{}: {} has only {} GPUs", kept, rack, count));
  }

  const Graph& graph_;
  GraphBuilder builder_;
};

}  // namespace

Result<Graph> with_fault(const Graph& graph, std::string_view fault) {
  Faults faults(graph);
  for (const std::string_view each : split(fault, ',')) UNIRACK_TRY(faults.add(each));
  return faults.build(fault);
}

}  // namespace unirack
