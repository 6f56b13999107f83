#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "lib/topology/formats/json_writer.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/formats/unirack_json.h"
#include "lib/topology/natural_order.h"

namespace unirack {

namespace {

void put_node(fmt::memory_buffer& out, const Node& node) {
  JsonObjectWriter object(out);
  object.text("name", node.name);
  object.text("kind", to_text(node.kind));
  object.text("host", node.host);
  object.text("rack", node.rack);
  object.text("domain", node.domain);
  object.number("rail", node.rail, -1);
  object.number("rank", node.rank, -1);
  object.text("health", to_text(node.health), to_text(Health::ok));
  object.flag("reduces", node.reduces);
  object.text("provenance", to_text(node.provenance), to_text(Provenance::imported));
  object.texts("known_by", node.known_by, [](Provenance value) { return to_text(value); });
  object.texts("attributes", node.attributes, [](const std::string& value) { return value; });
  object.end();
}

void put_link(fmt::memory_buffer& out, const Graph& graph, const Link& link, bool both_ways) {
  JsonObjectWriter object(out);
  object.text("from", graph.node(link.from).name);
  object.text("to", graph.node(link.to).name);
  object.text("kind", to_text(link.kind));
  object.number("bandwidth", static_cast<int64_t>(link.bandwidth), 0);
  object.number("capable", static_cast<int64_t>(link.capable), 0);
  object.number("latency_ns", link.latency_ns, 0);
  object.number("count", link.count, 1);
  object.text("health", to_text(link.health), to_text(Health::ok));
  object.text("provenance", to_text(link.provenance), to_text(Provenance::imported));
  object.flag("both_ways", both_ways);
  object.end();
}

enum class Way : uint8_t { one, both, written_with_the_other };

// The nodes in the order of their names, and the links in the order of those places.
class Order {
 private:
  auto key_of(const Link& link) const {
    return std::tuple(place_[link.from], place_[link.to], link.kind, link.bandwidth, link.capable,
                      link.latency_ns, link.health, link.provenance, link.count);
  }
  auto before() const {
    return [this](const Link& a, const Link& b) { return key_of(a) < key_of(b); };
  }

 public:
  explicit Order(const Graph& graph) : place_(graph.nodes().size()) {
    nodes.resize(graph.nodes().size());
    std::iota(nodes.begin(), nodes.end(), NodeIndex{0});
    std::sort(nodes.begin(), nodes.end(), [&](NodeIndex a, NodeIndex b) {
      return natural_less(graph.node(a).name, graph.node(b).name);
    });
    for (size_t i = 0; i < nodes.size(); ++i) place_[nodes[i]] = static_cast<uint32_t>(i);
    links = graph.links();
    std::sort(links.begin(), links.end(), before());
    pair_up();
  }

  std::vector<NodeIndex> nodes;
  std::vector<Link> links;
  std::vector<Way> ways;  // of the links

 private:
  // Each link from an earlier to a later node takes a link back that is equal, if there is one.
  void pair_up() {
    ways.assign(links.size(), Way::one);
    for (size_t i = 0; i < links.size(); ++i) {
      if (place_[links[i].from] > place_[links[i].to]) continue;
      Link back = links[i];
      std::swap(back.from, back.to);
      auto at = std::lower_bound(links.begin(), links.end(), back, before());
      for (; at != links.end() && key_of(*at) == key_of(back); ++at) {
        Way& way = ways[static_cast<size_t>(at - links.begin())];
        if (way != Way::one) continue;
        way = Way::written_with_the_other;
        ways[i] = Way::both;
        break;
      }
    }
  }

  std::vector<uint32_t> place_;  // by node index
};

Status check_texts(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    bool good =
        is_utf8(node.name) && is_utf8(node.host) && is_utf8(node.rack) && is_utf8(node.domain);
    for (const auto& [key, value] : node.attributes) good = good && is_utf8(key) && is_utf8(value);
    for (const auto& [key, value] : node.known_by) good = good && is_utf8(key);
    if (!good) {
      return make_error(Code::invalid_argument,
                        "node " + shown(node.name) + ": JSON holds only UTF-8");
    }
  }
  return ok_status();
}

}  // namespace

Result<std::string> write_unirack_json(const Graph& graph) {
  UNIRACK_TRY(check_texts(graph));
  const Order order(graph);
  fmt::memory_buffer out;
  const auto put = [&](std::string_view text) { out.append(text); };
  fmt::format_to(std::back_inserter(out), "{{\n\"unirack_topology\": {},\n", kTopologyJsonVersion);
  if (!graph.origin().empty() && is_utf8(graph.origin())) {
    put("\"origin\": ");
    put_json_text(out, graph.origin());
    put(",\n");
  }
  put("\"nodes\": [");
  for (size_t i = 0; i < order.nodes.size(); ++i) {
    put(i == 0 ? "\n" : ",\n");
    put_node(out, graph.node(order.nodes[i]));
  }
  put("\n],\n\"links\": [");
  bool first = true;
  for (size_t i = 0; i < order.links.size(); ++i) {
    if (order.ways[i] == Way::written_with_the_other) continue;
    put(first ? "\n" : ",\n");
    first = false;
    put_link(out, graph, order.links[i], order.ways[i] == Way::both);
  }
  put("\n]\n}\n");
  return fmt::to_string(out);
}

}  // namespace unirack
