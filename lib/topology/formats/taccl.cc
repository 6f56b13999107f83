#include "lib/topology/formats/taccl.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/topology/formats/json_file.h"
#include "lib/topology/formats/json_number.h"
#include "lib/topology/formats/json_writer.h"
#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

constexpr double kMicro = 1e3;                // nanoseconds
constexpr double kBytesPerBeta = 1e6 / 1e-6;  // of 1 MB in 1 us

// The NVLinks of each GPU pair of a DGX-1V, by source: 2 where double, 1 where single.
constexpr std::array<std::array<int, 8>, 8> kDgx1 = {{{0, 2, 1, 1, 2, 0, 0, 0},
                                                      {2, 0, 1, 2, 0, 1, 0, 0},
                                                      {1, 1, 0, 2, 0, 0, 2, 0},
                                                      {1, 2, 2, 0, 0, 0, 0, 1},
                                                      {2, 0, 0, 0, 0, 2, 1, 1},
                                                      {0, 1, 0, 0, 2, 0, 1, 2},
                                                      {0, 0, 2, 0, 1, 1, 0, 2},
                                                      {0, 0, 0, 1, 1, 2, 2, 0}}};

// What the values of a file are scaled by; see the header.
struct Scale {
  double beta = 1;   // us per MB of a beta of 1
  double alpha = 1;  // us of an alpha of 1
};

Scale scale_of(std::string_view name) {
  if (name.ends_with("_32KB")) return {.beta = 0.1 * 1000 / 32, .alpha = 0.1};
  if (name.ends_with("_1KB")) return {.beta = 0.01 * 1000, .alpha = 0.01};
  return {};
}

class TacclReader {
 public:
  TacclReader(const JsonFile& file, std::string host) : file_(file), host_(std::move(host)) {}

  Result<GraphBuilder> read() {
    const JsonValue& root = file_.root();
    if (!root.is_object()) return file_.error(root, expected_kind("an object", root));
    scale_ = scale_of(UNIRACK_TRY(file_.text(root, "name")).value_or(""));
    const bool is_saved = root.find("ngpus_per_node") != nullptr;
    gpus_ = UNIRACK_TRY(count_of(is_saved ? "ngpus_per_node" : "gpus_per_node", 1, kTacclGpusMax));
    copies_ = is_saved ? UNIRACK_TRY(count_of("copies", 1, kTacclGpusMax / gpus_)) : 1;
    latency_ns_ = UNIRACK_TRY(latency_of("alpha"));
    UNIRACK_TRY(add_gpus());
    if (root.find("node_betas_list") != nullptr) {
      UNIRACK_TRY(read_profile());
    } else if (is_saved) {
      UNIRACK_TRY(read_matrices("node_links", "node_invbws"));
    } else {
      UNIRACK_TRY(read_matrices("links", root.find("betas") != nullptr ? "betas" : "invbws"));
    }
    UNIRACK_TRY(is_saved ? read_connections() : read_nics());
    return std::move(builder_);
  }

 private:
  std::string box(int copy) const {
    return copies_ == 1 ? host_ : fmt::format("{}{}", host_, copy);
  }
  NodeIndex gpu(int copy, int index) const { return static_cast<NodeIndex>(copy * gpus_ + index); }

  Result<int> count_of(std::string_view key, int min, int max) const {
    const auto count = UNIRACK_TRY(file_.integer(file_.root(), key, min, max));
    if (!count) return file_.error(file_.root(), fmt::format("expected '{}', found none", key));
    return static_cast<int>(*count);
  }

  Result<uint32_t> latency_of(std::string_view key) const {
    const auto alpha = UNIRACK_TRY(file_.real(file_.root(), key));
    const auto ns = latency_from(alpha.value_or(0), kMicro * scale_.alpha);
    if (ns) return *ns;
    const JsonValue& value = *file_.root().find(key);
    return file_.error(value, expected_kind("a latency in microseconds", value));
  }

  // Of a beta, which is a time per byte.
  Result<uint64_t> bandwidth_of(const JsonValue& beta) const {
    const bool is_number =
        beta.kind == JsonValue::Kind::integer || beta.kind == JsonValue::Kind::real;
    if (is_number && beta.real > 0) {
      const auto bandwidth = bandwidth_from(1 / (beta.real * scale_.beta), kBytesPerBeta);
      if (bandwidth) return *bandwidth;
    }
    return file_.error(beta, expected_kind("microseconds per MB", beta));
  }

  Status add_gpus() {
    for (int copy = 0; copy < copies_; ++copy) {
      for (int i = 0; i < gpus_; ++i) {
        Node node;
        node.kind = NodeKind::gpu;
        node.host = box(copy);
        node.name = fmt::format("{}/gpu{}", node.host, i);
        UNIRACK_TRY(builder_.add(std::move(node)));
      }
    }
    return ok_status();
  }

  Status read_profile() {
    const JsonValue* betas = UNIRACK_TRY(file_.list(file_.root(), "node_betas_list"));
    Link link;
    link.kind = LinkKind::nvlink;
    link.latency_ns = latency_ns_;
    if (betas->items.size() == 2 && gpus_ == 8) {
      const std::array<uint64_t, 3> bandwidths = {0, UNIRACK_TRY(bandwidth_of(betas->items[1])),
                                                  UNIRACK_TRY(bandwidth_of(betas->items[0]))};
      for (int i = 0; i < gpus_; ++i) {
        for (int j = 0; j < gpus_; ++j) {
          const int links = kDgx1[static_cast<size_t>(i)][static_cast<size_t>(j)];
          if (links == 0) continue;
          link.from = gpu(0, i);
          link.to = gpu(0, j);
          link.bandwidth = bandwidths[static_cast<size_t>(links)];
          builder_.connect(link);
        }
      }
      return ok_status();
    }
    if (betas->items.size() != 1) {
      return file_.error(*betas,
                         "expected one value for GPUs on a switch, or two for the 8 of a "
                         "DGX-1V");
    }
    link.bandwidth = UNIRACK_TRY(bandwidth_of(betas->items[0]));
    link.latency_ns = latency_ns_ / 2;  // of each of the two links that a copy passes
    Node nvswitch;
    nvswitch.kind = NodeKind::nvswitch;
    nvswitch.host = box(0);
    nvswitch.name = nvswitch.host + "/nvswitch";
    link.to = UNIRACK_TRY(builder_.add(std::move(nvswitch)));
    for (int i = 0; i < gpus_; ++i) {
      link.from = gpu(0, i);
      builder_.join(link);
    }
    return ok_status();
  }

  Result<const JsonValue*> matrix_of(std::string_view key) const {
    const JsonValue* matrix = UNIRACK_TRY(file_.list(file_.root(), key));
    const auto size = static_cast<size_t>(gpus_);
    if (matrix == nullptr) {
      return file_.error(file_.root(), fmt::format("expected '{}', found none", key));
    }
    if (matrix->items.size() != size) {
      return file_.error(*matrix, fmt::format("expected {} rows, one a GPU, found {}", size,
                                              matrix->items.size()));
    }
    for (const JsonValue& row : matrix->items) {
      if (!row.is_list() || row.items.size() != size) {
        return file_.error(row, fmt::format("expected a list of {} numbers, one a GPU", size));
      }
    }
    return matrix;
  }

  // Rows are targets.
  Status read_matrices(std::string_view links_key, std::string_view betas_key) {
    const JsonValue* links = UNIRACK_TRY(matrix_of(links_key));
    const JsonValue* betas = UNIRACK_TRY(matrix_of(betas_key));
    for (int target = 0; target < gpus_; ++target) {
      for (int source = 0; source < gpus_; ++source) {
        const auto at = [&](const JsonValue* matrix) -> const JsonValue& {
          return matrix->items[static_cast<size_t>(target)].items[static_cast<size_t>(source)];
        };
        const JsonValue& count = at(links);
        if (count.kind != JsonValue::Kind::integer || count.integer < 0 ||
            count.integer > kLinksMax || (source == target && count.integer != 0)) {
          return file_.error(
              count, expected_kind(source == target ? "0 links from a GPU to itself"
                                                    : fmt::format("0 to {} links", kLinksMax),
                                   count));
        }
        if (count.integer == 0) continue;
        Link link;
        link.kind = LinkKind::nvlink;
        link.latency_ns = latency_ns_;
        link.bandwidth = UNIRACK_TRY(bandwidth_of(at(betas)));
        link.count = static_cast<uint32_t>(count.integer);
        for (int copy = 0; copy < copies_; ++copy) {
          link.from = gpu(copy, source);
          link.to = gpu(copy, target);
          builder_.connect(link);
        }
      }
    }
    return ok_status();
  }

  Result<Link> remote_link(std::string_view key) const {
    Link link;
    link.kind = LinkKind::infiniband;
    link.latency_ns = UNIRACK_TRY(latency_of("remote_alpha"));
    const JsonValue* beta = file_.root().find(key);
    if (beta == nullptr) {
      return file_.error(file_.root(), fmt::format("expected '{}', found none", key));
    }
    link.bandwidth = UNIRACK_TRY(bandwidth_of(*beta));
    return link;
  }

  // NICs share the GPUs evenly; what they are plugged into is not said.
  Status read_nics() {
    if (file_.root().find("nics_per_node") == nullptr) return ok_status();
    const int nics = UNIRACK_TRY(count_of("nics_per_node", -1, gpus_));
    if (nics <= 0) return ok_status();
    Link link = UNIRACK_TRY(remote_link("remote_beta"));
    Node fabric;
    fabric.kind = NodeKind::network_switch;
    fabric.name = "fabric";
    fabric.provenance = Provenance::assumed;
    link.to = UNIRACK_TRY(builder_.find_or_add(std::move(fabric)));
    for (int i = 0; i < nics; ++i) {
      Node nic;
      nic.kind = NodeKind::nic;
      nic.host = box(0);
      nic.rail = i;
      nic.name = fmt::format("{}/nic/net{}", nic.host, i);
      link.from = UNIRACK_TRY(builder_.add(std::move(nic)));
      builder_.join(link);
      for (int each = 0; each < gpus_; ++each) {
        if (each * nics / gpus_ != i) continue;
        builder_.join({.from = gpu(0, each),
                       .to = link.from,
                       .kind = LinkKind::pcie,
                       .provenance = Provenance::assumed});
      }
    }
    return ok_status();
  }

  // "internode_conn": {"1": [0], ...}: from that GPU of each machine to those of all others.
  Status read_connections() {
    const JsonValue* connections = UNIRACK_TRY(file_.object(file_.root(), "internode_conn"));
    if (connections == nullptr || copies_ == 1) return ok_status();
    Link link = UNIRACK_TRY(remote_link("remote_invbw"));
    for (size_t i = 0; i < connections->keys.size(); ++i) {
      const JsonValue& targets = connections->items[i];
      const auto source = number_from<int>(connections->keys[i]);
      if (!source || *source < 0 || *source >= gpus_ || !targets.is_list()) {
        return file_.error(targets, fmt::format("expected lists by GPUs from 0 to {}", gpus_ - 1));
      }
      for (const JsonValue& target : targets.items) {
        if (target.kind != JsonValue::Kind::integer || target.integer < 0 ||
            target.integer >= gpus_) {
          return file_.error(target,
                             expected_kind(fmt::format("a GPU from 0 to {}", gpus_ - 1), target));
        }
        connect_copies(link, *source, static_cast<int>(target.integer));
        if (builder_.links().size() > kGraphLinksMax) {
          return file_.error(target, fmt::format("expected at most {} links", kGraphLinksMax));
        }
      }
    }
    return ok_status();
  }

  void connect_copies(Link link, int source, int target) {
    for (int from = 0; from < copies_; ++from) {
      for (int to = 0; to < copies_; ++to) {
        if (from == to) continue;
        link.from = gpu(from, source);
        link.to = gpu(to, target);
        builder_.connect(link);
      }
    }
  }

  static constexpr int64_t kLinksMax = 1000;

  const JsonFile& file_;
  std::string host_;
  GraphBuilder builder_;
  Scale scale_;
  int gpus_ = 0;
  int copies_ = 1;
  uint32_t latency_ns_ = 0;
};

bool is_fast(const Link& link) {
  return link.health != Health::down && link.bandwidth > 0 &&
         (link.kind == LinkKind::nvlink || link.kind == LinkKind::xgmi);
}

// Bytes/s between each two members, directly and over switches of one hop; by row of targets.
struct Pairs {
  std::vector<uint64_t> bandwidth;
  uint64_t latency_ns = 0;  // the longest
};

Pairs pairs_of(const Graph& graph) {
  const auto& members = graph.members();
  Pairs pairs;
  pairs.bandwidth.resize(members.size() * members.size());
  const auto place = [&](NodeIndex node) -> size_t {
    const auto at = std::lower_bound(members.begin(), members.end(), node);
    return at != members.end() && *at == node ? static_cast<size_t>(at - members.begin())
                                              : SIZE_MAX;
  };
  const auto add = [&](size_t from, NodeIndex to, uint64_t bandwidth, uint64_t latency_ns) {
    const size_t target = place(to);
    if (target == SIZE_MAX || target == from) return;
    uint64_t& pair = pairs.bandwidth[target * members.size() + from];
    pair = std::min(pair + bandwidth, kBandwidthMax);
    pairs.latency_ns = std::max(pairs.latency_ns, std::min(latency_ns, uint64_t{UINT32_MAX}));
  };
  for (size_t from = 0; from < members.size(); ++from) {
    for (const LinkIndex first : graph.links_from(members[from])) {
      const Link& link = graph.link(first);
      if (!is_fast(link)) continue;
      add(from, link.to, link.total_bandwidth(), link.latency_ns);
      if (graph.node(link.to).kind != NodeKind::nvswitch) continue;
      for (const LinkIndex second : graph.links_from(link.to)) {
        const Link& onward = graph.link(second);
        if (!is_fast(onward)) continue;
        add(from, onward.to, std::min(link.total_bandwidth(), onward.total_bandwidth()),
            uint64_t{link.latency_ns} + onward.latency_ns);
      }
    }
  }
  return pairs;
}

template <class Value>
void put_matrix(fmt::memory_buffer& out, std::string_view name, size_t size, Value value) {
  fmt::format_to(std::back_inserter(out), ",\n\"{}\": [", name);
  for (size_t row = 0; row < size; ++row) {
    out.append(std::string_view(row == 0 ? "\n[" : ",\n["));
    for (size_t column = 0; column < size; ++column) {
      fmt::format_to(std::back_inserter(out), "{}{}", column == 0 ? "" : ", ",
                     value(row * size + column));
    }
    out.push_back(']');
  }
  out.append(std::string_view("\n]"));
}

}  // namespace

bool recognises_taccl(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' &&
         (text.find("\"gpus_per_node\"") != std::string_view::npos ||
          text.find("\"ngpus_per_node\"") != std::string_view::npos);
}

Result<Graph> read_taccl(std::string_view text, const ReadOptions& options) {
  const JsonFile file = UNIRACK_TRY(JsonFile::parse(text));
  TacclReader reader(file, options.host.empty() ? "host" : options.host);
  GraphBuilder builder = UNIRACK_TRY(reader.read());
  return std::move(builder).build(options.file_name.empty() ? "taccl"
                                                            : "taccl " + options.file_name);
}

Result<std::string> write_taccl(const Graph& graph) {
  const size_t size = graph.members().size();
  const bool one_host =
      std::all_of(graph.members().begin(), graph.members().end(), [&](NodeIndex member) {
        return graph.node(member).host == graph.node(graph.members().front()).host;
      });
  const Pairs pairs = one_host && size <= kTacclGpusMax ? pairs_of(graph) : Pairs();
  if (!std::any_of(pairs.bandwidth.begin(), pairs.bandwidth.end(),
                   [](uint64_t each) { return each > 0; })) {
    return make_error(Code::invalid_argument,
                      "cannot be written for TACCL: expected one machine whose GPUs are joined by "
                      "NVLink or xGMI of known bandwidth");
  }
  fmt::memory_buffer out;
  out.append(std::string_view("{\"name\": "));
  const std::string& host = graph.node(graph.members().front()).host;
  put_json_text(out, host.empty() ? "machine" : host);
  fmt::format_to(std::back_inserter(out), ",\n\"gpus_per_node\": {},\n\"alpha\": {}", size,
                 static_cast<double>(pairs.latency_ns) / kMicro);
  const auto beta = [&](size_t at) {
    const uint64_t bandwidth = pairs.bandwidth[at];
    return bandwidth == 0 ? 0 : kBytesPerBeta / static_cast<double>(bandwidth);
  };
  put_matrix(out, "links", size, [&](size_t at) { return pairs.bandwidth[at] == 0 ? 0 : 1; });
  put_matrix(out, "betas", size, beta);
  put_matrix(out, "invbws", size, beta);
  out.append(std::string_view("}\n"));
  return fmt::to_string(out);
}

}  // namespace unirack
