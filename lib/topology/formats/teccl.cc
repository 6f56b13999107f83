#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/topology/formats/json_file.h"
#include "lib/topology/formats/json_number.h"
#include "lib/topology/formats/json_writer.h"
#include "lib/topology/formats/link_list.h"
#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

constexpr double kGiga = 1e9;
constexpr double kSecond = 1e9;  // nanoseconds
constexpr double kCapacityMax = static_cast<double>(kBandwidthMax) / kGiga;

class TecclReader {
 public:
  explicit TecclReader(const JsonFile& file) : file_(file) {}

  Result<GraphBuilder> read() {
    const JsonValue& root = file_.root();
    if (!root.is_object()) return file_.error(root, expected_kind("an object", root));
    const JsonValue* capacity = UNIRACK_TRY(file_.list(root, "capacity"));
    if (capacity == nullptr) return file_.error(root, "expected 'capacity', found none");
    UNIRACK_TRY(check_matrix(*capacity, capacity->items.size()));
    const JsonValue* alpha = UNIRACK_TRY(file_.list(root, "alpha"));
    if (alpha != nullptr) UNIRACK_TRY(check_matrix(*alpha, capacity->items.size()));
    UNIRACK_TRY(read_nodes(capacity->items.size()));
    for (size_t i = 0; i < capacity->items.size(); ++i) {
      for (size_t j = 0; j < capacity->items.size(); ++j) {
        UNIRACK_TRY(read_link(capacity->items[i].items[j],
                              alpha == nullptr ? nullptr : &alpha->items[i].items[j], i, j));
      }
    }
    return std::move(builder_);
  }

 private:
  // Rows of numbers, as many as columns.
  Status check_matrix(const JsonValue& matrix, size_t size) const {
    if (matrix.items.empty() || matrix.items.size() > kMatrixNodesMax ||
        matrix.items.size() != size) {
      return file_.error(matrix, fmt::format("expected 1 to {} rows, as many as 'capacity' has, "
                                             "found {}",
                                             kMatrixNodesMax, matrix.items.size()));
    }
    for (const JsonValue& row : matrix.items) {
      if (!row.is_list() || row.items.size() != size) {
        return file_.error(row, fmt::format("expected a list of {} numbers", size));
      }
      for (const JsonValue& each : row.items) {
        if (each.kind != JsonValue::Kind::integer && each.kind != JsonValue::Kind::real) {
          return file_.error(each, expected_kind("a number", each));
        }
      }
    }
    return ok_status();
  }

  Status read_nodes(size_t count) {
    std::vector<bool> is_switch(count);
    const JsonValue* switches = UNIRACK_TRY(file_.list(file_.root(), "switch_indices"));
    for (size_t i = 0; switches != nullptr && i < switches->items.size(); ++i) {
      const JsonValue& each = switches->items[i];
      if (each.kind != JsonValue::Kind::integer || each.integer < 0 ||
          each.integer >= static_cast<int64_t>(count)) {
        return file_.error(each,
                           expected_kind(fmt::format("a node from 0 to {}", count - 1), each));
      }
      is_switch[static_cast<size_t>(each.integer)] = true;
    }
    const JsonValue* names = UNIRACK_TRY(file_.list(file_.root(), "nodes"));
    if (names != nullptr && names->items.size() != count) {
      return file_.error(*names,
                         fmt::format("expected {} names, found {}", count, names->items.size()));
    }
    for (size_t i = 0; i < count; ++i) {
      Node node;
      node.kind = is_switch[i] ? NodeKind::network_switch : NodeKind::gpu;
      node.name = fmt::format("{}{}", is_switch[i] ? "switch" : "gpu", i);
      if (names != nullptr) {
        if (names->items[i].kind != JsonValue::Kind::text) {
          return file_.error(names->items[i], expected_kind("a name", names->items[i]));
        }
        node.name = names->items[i].text;
      }
      auto added = builder_.add(std::move(node));
      if (!added)
        return file_.error(names == nullptr ? file_.root() : *names, added.error().detail);
    }
    return ok_status();
  }

  Status read_link(const JsonValue& capacity, const JsonValue* alpha, size_t from, size_t to) {
    if (capacity.real == 0) return ok_status();
    if (from == to) return file_.error(capacity, "expected 0 from a node to itself");
    Link link;
    link.from = static_cast<NodeIndex>(from);
    link.to = static_cast<NodeIndex>(to);
    link.kind = LinkKind::nvlink;
    const auto bandwidth = bandwidth_from(capacity.real, kGiga);
    if (!bandwidth) return file_.error(capacity, expected_kind("a bandwidth in GB/s", capacity));
    link.bandwidth = *bandwidth;
    if (alpha != nullptr) {
      const auto latency = latency_from(alpha->real, kSecond);
      if (!latency) return file_.error(*alpha, expected_kind("a latency in seconds", *alpha));
      link.latency_ns = *latency;
    }
    builder_.connect(link);
    return ok_status();
  }

  const JsonFile& file_;
  GraphBuilder builder_;
};

// More than any node can take in or give out.
uint64_t fastest_node(const Graph& graph) {
  uint64_t fastest = 0;
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    uint64_t out = 0, in = 0;
    for (const LinkIndex link : graph.links_from(i)) out += graph.link(link).total_bandwidth();
    for (const LinkIndex link : graph.links_to(i)) in += graph.link(link).total_bandwidth();
    fastest = std::max({fastest, out, in});
  }
  return fastest;
}

using Matrix = std::vector<double>;

void put_matrix(fmt::memory_buffer& out, std::string_view name, const Matrix& matrix, size_t size) {
  fmt::format_to(std::back_inserter(out), ",\n\"{}\": [", name);
  for (size_t i = 0; i < size; ++i) {
    const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(i * size);
    fmt::format_to(std::back_inserter(out), "{}\n[{}]", i == 0 ? "" : ",",
                   fmt::join(begin, begin + static_cast<std::ptrdiff_t>(size), ", "));
  }
  out.append(std::string_view("\n]"));
}

}  // namespace

bool recognises_teccl(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' &&
         text.find("\"capacity\"") != std::string_view::npos;
}

Result<Graph> read_teccl(std::string_view text, const ReadOptions& options) {
  const JsonFile file = UNIRACK_TRY(JsonFile::parse(text));
  GraphBuilder builder = UNIRACK_TRY(TecclReader(file).read());
  return std::move(builder).build(options.file_name.empty() ? "teccl"
                                                            : "teccl " + options.file_name);
}

Result<std::string> write_teccl(const Graph& graph) {
  const size_t size = graph.nodes().size();
  const uint64_t fastest = fastest_node(graph);
  if (size == 0 || size > kMatrixNodesMax || fastest == 0) {
    return make_error(
        Code::invalid_argument,
        fmt::format("cannot be written as matrices: expected 1 to {} nodes and links of known "
                    "bandwidth, found {} nodes",
                    kMatrixNodesMax, size));
  }
  Matrix capacity(size * size), alpha(size * size);
  for (const Link& link : graph.links()) {
    if (link.health == Health::down) continue;
    const size_t at = link.from * size + link.to;
    const uint64_t bandwidth = link.limits() ? link.total_bandwidth() : fastest;
    capacity[at] = std::min(capacity[at] + static_cast<double>(bandwidth) / kGiga, kCapacityMax);
    alpha[at] = std::max(alpha[at], link.latency_ns / kSecond);
  }
  fmt::memory_buffer out;
  std::vector<std::string> names;
  std::vector<NodeIndex> switches;
  for (NodeIndex i = 0; i < size; ++i) {
    fmt::memory_buffer name;
    put_json_text(name, graph.node(i).name);
    names.push_back(fmt::to_string(name));
    const auto& members = graph.members();
    if (!std::binary_search(members.begin(), members.end(), i)) switches.push_back(i);
  }
  fmt::format_to(std::back_inserter(out), "{{\"nodes\": [{}],\n\"switch_indices\": [{}]",
                 fmt::join(names, ", "), fmt::join(switches, ", "));
  put_matrix(out, "capacity", capacity, size);
  put_matrix(out, "alpha", alpha, size);
  out.append(std::string_view("}\n"));
  return fmt::to_string(out);
}

}  // namespace unirack
