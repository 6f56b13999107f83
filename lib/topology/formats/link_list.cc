#include "lib/topology/formats/link_list.h"

#include <fmt/format.h>

#include "lib/topology/formats/json_file.h"
#include "lib/topology/formats/json_number.h"
#include "lib/topology/formats/json_writer.h"
#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

constexpr double kGiga = 1e9;
constexpr double kMicro = 1e3;  // nanoseconds
constexpr int64_t kNodesMax = 100'000;

class LinkListReader {
 public:
  explicit LinkListReader(const JsonFile& file) : file_(file) {}

  Result<GraphBuilder> read() {
    const JsonValue& root = file_.root();
    if (!root.is_object()) return file_.error(root, expected_kind("an object", root));
    const JsonValue* nodes = root.find("nodes");
    if (nodes == nullptr) return file_.error(root, "expected 'nodes', found none");
    UNIRACK_TRY(read_nodes(*nodes));
    const JsonValue* links = UNIRACK_TRY(file_.list(root, "links"));
    if (links == nullptr) return file_.error(root, "expected 'links', found none");
    for (const JsonValue& each : links->items) UNIRACK_TRY(read_link(each));
    return std::move(builder_);
  }

 private:
  Status read_nodes(const JsonValue& nodes) {
    if (nodes.kind == JsonValue::Kind::integer) {
      const auto count = UNIRACK_TRY(file_.integer(file_.root(), "nodes", 1, kNodesMax));
      for (int64_t i = 0; i < *count; ++i) {
        Node node;
        node.kind = NodeKind::gpu;
        node.name = fmt::format("gpu{}", i);
        UNIRACK_TRY(builder_.add(std::move(node)));
      }
      return ok_status();
    }
    if (!nodes.is_list()) {
      return file_.error(nodes, expected_kind("a number or a list", nodes));
    }
    for (const JsonValue& each : nodes.items) {
      auto added = builder_.add(UNIRACK_TRY(read_node(each)));
      if (!added) return file_.error(each, added.error().detail);
    }
    return ok_status();
  }

  Result<Node> read_node(const JsonValue& value) {
    Node node;
    node.kind = NodeKind::gpu;
    if (value.kind == JsonValue::Kind::text) {
      node.name = value.text;
      return node;
    }
    if (!value.is_object()) return file_.error(value, expected_kind("a name or an object", value));
    constexpr std::string_view kFields[] = {"name", "kind", "host", "rack", "domain", "rail"};
    UNIRACK_TRY(file_.expect_only(value, kFields));
    const auto name = UNIRACK_TRY(file_.text(value, "name"));
    if (!name) return file_.error(value, "expected a 'name', found none");
    node.name = *name;
    if (const auto kind = UNIRACK_TRY(file_.text(value, "kind"))) {
      const auto known = node_kind_from(*kind);
      if (!known) {
        return file_.error(*value.find("kind"),
                           fmt::format("expected a kind of node as 'gpu', 'nic' or 'switch', found "
                                       "{}",
                                       shown(*kind)));
      }
      node.kind = *known;
    }
    node.host = UNIRACK_TRY(file_.text(value, "host")).value_or("");
    node.rack = UNIRACK_TRY(file_.text(value, "rack")).value_or("");
    node.domain = UNIRACK_TRY(file_.text(value, "domain")).value_or("");
    node.rail =
        static_cast<int32_t>(UNIRACK_TRY(file_.integer(value, "rail", -1, INT32_MAX)).value_or(-1));
    return node;
  }

  Status read_link(const JsonValue& value) {
    if (!value.is_object()) return file_.error(value, expected_kind("an object", value));
    constexpr std::string_view kFields[] = {"source", "target", "bandwidth", "latency",
                                            "count",  "kind",   "both_ways"};
    UNIRACK_TRY(file_.expect_only(value, kFields));
    Link link;
    link.from = UNIRACK_TRY(read_end(value, "source"));
    link.to = UNIRACK_TRY(read_end(value, "target"));
    if (link.from == link.to) return file_.error(value, "expected a link between two nodes");
    UNIRACK_TRY(read_rates(value, link));
    link.count =
        static_cast<uint32_t>(UNIRACK_TRY(file_.integer(value, "count", 1, kCountMax)).value_or(1));
    if (link.bandwidth > kBandwidthMax / link.count) {
      return file_.error(value, "expected less than 2^60 bytes/s of all links together");
    }
    link.kind = kind_between(link.from, link.to);
    if (const auto kind = UNIRACK_TRY(file_.text(value, "kind"))) {
      const auto known = link_kind_from(*kind);
      if (!known) {
        return file_.error(
            *value.find("kind"),
            fmt::format("expected a kind of link as 'nvlink' or 'pcie', found {}", shown(*kind)));
      }
      link.kind = *known;
    }
    if (UNIRACK_TRY(file_.boolean(value, "both_ways")).value_or(false)) {
      builder_.join(link);
    } else {
      builder_.connect(link);
    }
    return ok_status();
  }

  Status read_rates(const JsonValue& value, Link& link) const {
    if (const auto bandwidth = UNIRACK_TRY(file_.real(value, "bandwidth"))) {
      const auto bytes = bandwidth_from(*bandwidth, kGiga);
      if (!bytes) {
        return file_.error(*value.find("bandwidth"),
                           expected_kind("a bandwidth in GB/s", *value.find("bandwidth")));
      }
      link.bandwidth = *bytes;
    }
    if (const auto latency = UNIRACK_TRY(file_.real(value, "latency"))) {
      const auto ns = latency_from(*latency, kMicro);
      if (!ns) {
        return file_.error(*value.find("latency"),
                           expected_kind("a latency in microseconds", *value.find("latency")));
      }
      link.latency_ns = *ns;
    }
    return ok_status();
  }

  // By name or by place.
  Result<NodeIndex> read_end(const JsonValue& link, std::string_view key) const {
    const JsonValue* end = link.find(key);
    if (end == nullptr) return file_.error(link, fmt::format("expected a '{}', found none", key));
    if (end->kind == JsonValue::Kind::text) {
      if (const auto found = builder_.find(end->text)) return *found;
    } else if (end->kind == JsonValue::Kind::integer && end->integer >= 0 &&
               end->integer < static_cast<int64_t>(builder_.node_count())) {
      return static_cast<NodeIndex>(end->integer);
    }
    return file_.error(*end, expected_kind(fmt::format("one of the {} nodes, by name or place",
                                                       builder_.node_count()),
                                           *end));
  }

  // Where it is not said: what leaves a machine is a network.
  LinkKind kind_between(NodeIndex from, NodeIndex to) {
    const std::string& here = builder_.node(from).host;
    const std::string& there = builder_.node(to).host;
    return here.empty() || there.empty() || here == there ? LinkKind::nvlink : LinkKind::infiniband;
  }

  static constexpr int64_t kCountMax = 1'000'000;

  const JsonFile& file_;
  GraphBuilder builder_;
};

// Whether a text of ours or of others has this member near its beginning.
bool has_member(std::string_view text, std::string_view name) {
  constexpr size_t kLooked = size_t{1} << 20;
  return text.substr(0, kLooked).find(fmt::format("\"{}\"", name)) != std::string_view::npos;
}

void put_node(fmt::memory_buffer& out, const Node& node) {
  JsonObjectWriter object(out);
  object.text("name", node.name);
  object.text("kind", to_text(node.kind), "gpu");
  object.text("host", node.host);
  object.text("rack", node.rack);
  object.text("domain", node.domain);
  object.number("rail", node.rail, -1);
  object.end();
}

void put_link(fmt::memory_buffer& out, const Graph& graph, const Link& link, bool both_ways) {
  JsonObjectWriter object(out);
  object.text("source", graph.node(link.from).name);
  object.text("target", graph.node(link.to).name);
  object.real("bandwidth", static_cast<double>(link.bandwidth) / kGiga, 0);
  object.real("latency", link.latency_ns / kMicro, 0);
  object.number("count", link.count, 1);
  object.text("kind", to_text(link.kind));
  object.flag("both_ways", both_ways);
  object.end();
}

// The link back, where it is the only one and alike.
bool is_both_ways(const Graph& graph, LinkIndex index) {
  const Link& link = graph.link(index);
  const auto same = [&](const Link& other) {
    return other.bandwidth == link.bandwidth && other.latency_ns == link.latency_ns &&
           other.count == link.count && other.kind == link.kind && other.health == link.health;
  };
  int there = 0, back = 0, alike = 0;
  for (const LinkIndex each : graph.links_from(link.from)) there += graph.link(each).to == link.to;
  for (const LinkIndex each : graph.links_to(link.from)) {
    if (graph.link(each).from != link.to) continue;
    ++back;
    alike += same(graph.link(each));
  }
  return there == 1 && back == 1 && alike == 1;
}

}  // namespace

bool recognises_links(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' && has_member(text, "links") &&
         has_member(text, "source") && !has_member(text, "unirack_topology");
}

Result<Graph> read_links(std::string_view text, const ReadOptions& options) {
  const JsonFile file = UNIRACK_TRY(JsonFile::parse(text));
  GraphBuilder builder = UNIRACK_TRY(LinkListReader(file).read());
  return std::move(builder).build(options.file_name.empty() ? "links"
                                                            : "links " + options.file_name);
}

Result<std::string> write_links(const Graph& graph) {
  fmt::memory_buffer out;
  out.append(std::string_view("{\"nodes\": [\n"));
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    if (i > 0) out.append(std::string_view(",\n"));
    put_node(out, graph.node(i));
  }
  out.append(std::string_view("\n],\n\"links\": ["));
  std::string_view separator = "\n";
  for (LinkIndex i = 0; i < graph.links().size(); ++i) {
    const Link& link = graph.link(i);
    if (link.health == Health::down) continue;  // carries nothing
    const bool both_ways = is_both_ways(graph, i);
    if (both_ways && link.from > link.to) continue;  // written from its other end
    out.append(separator);
    separator = ",\n";
    put_link(out, graph, link, both_ways);
  }
  out.append(std::string_view("\n]}\n"));
  return fmt::to_string(out);
}

}  // namespace unirack
