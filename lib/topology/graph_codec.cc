#include "lib/topology/graph_codec.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

namespace unirack {

namespace {

// version u8 | nodes, links | origin | texts | nodes | properties | links; integers are varints.
// A text is: bytes shared with the one before, length of the rest, the rest.
constexpr uint8_t kVersion = 1;

// Of all names, fields and attributes; what shares bytes grows when it is read.
constexpr size_t kDecodedTextMax = size_t{512} << 20;

// In the second byte of a node: what follows.
constexpr uint8_t kHasRack = 1 << 3;
constexpr uint8_t kHasDomain = 1 << 4;
constexpr uint8_t kHasRail = 1 << 5;
constexpr uint8_t kHasRank = 1 << 6;
constexpr uint8_t kHasMore = 1 << 7;

// The least that a node, a link, a text and the properties of a link take.
constexpr size_t kNodeBytesMin = 5;
constexpr size_t kLinkBytesMin = 4;
constexpr size_t kTextBytesMin = 2;
constexpr size_t kPropertiesBytesMin = 5;

void put_number(Writer& writer, uint64_t value) {
  while (value >= 0x80) {
    writer.put(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  writer.put(static_cast<uint8_t>(value));
}

Error corrupted(const std::string& why) { return make_error(Code::corrupted, "graph: " + why); }

Result<uint64_t> take_number(Reader& reader, uint64_t max) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = UNIRACK_TRY(reader.take<uint8_t>());
    value |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) != 0) continue;
    if (value > max || (shift == 63 && byte > 1)) break;
    return value;
  }
  return corrupted("expected a number up to " + std::to_string(max));
}

// How many of something that takes at least `bytes_min` each.
Result<size_t> take_count(Reader& reader, size_t max, size_t bytes_min) {
  const uint64_t count = UNIRACK_TRY(take_number(reader, max));
  if (count > reader.remaining() / bytes_min) {
    return corrupted("more is announced than follows");
  }
  return static_cast<size_t>(count);
}

template <class Enum>
Result<Enum> to_enum(unsigned value, int count) {
  if (value >= static_cast<unsigned>(count)) return corrupted("a kind that does not exist");
  return static_cast<Enum>(value);
}

auto properties_of(const Link& link) {
  return std::tuple(link.kind, link.health, link.provenance, link.bandwidth, link.capable,
                    link.latency_ns);
}
using Properties = decltype(properties_of(Link()));

void put_text(Writer& writer, std::string_view text, std::string& before) {
  const auto differ = std::mismatch(text.begin(), text.end(), before.begin(), before.end());
  const auto shared = static_cast<size_t>(differ.first - text.begin());
  put_number(writer, shared);
  put_number(writer, text.size() - shared);
  writer.put_bytes(bytes_of(text.substr(shared)));
  before = text;
}

class Encoder {
 public:
  explicit Encoder(const Graph& graph) : graph_(graph), writer_(bytes_) {}

  std::vector<std::byte> run() {
    writer_.put(kVersion);
    put_number(writer_, graph_.nodes().size());
    put_number(writer_, graph_.links().size());
    std::string before;
    put_text(writer_, graph_.origin(), before);
    put_texts();
    before.clear();
    for (const Node& node : graph_.nodes()) {
      put_text(writer_, node.name, before);
      put_node(node);
    }
    put_properties();
    Link last;
    for (const Link& link : graph_.links()) {
      put_number(writer_, link.from - last.from);
      put_number(writer_, link.from == last.from ? link.to - last.to : link.to);
      put_number(writer_, properties_.at(properties_of(link)));
      put_number(writer_, link.count);
      last = link;
    }
    return std::move(bytes_);
  }

 private:
  // Sorted, so that they share much; the empty text is the first.
  void put_texts() {
    texts_.try_emplace("");
    for (const Node& node : graph_.nodes()) {
      for (const std::string* text : {&node.host, &node.rack, &node.domain}) {
        texts_.try_emplace(*text);
      }
      for (const auto& [key, value] : node.attributes) {
        texts_.try_emplace(key);
        texts_.try_emplace(value);
      }
      for (const auto& each : node.known_by) texts_.try_emplace(each.first);
    }
    put_number(writer_, texts_.size());
    uint64_t next = 0;
    std::string before;
    for (auto& [text, index] : texts_) {
      put_text(writer_, text, before);
      index = next++;
    }
  }

  void put_node(const Node& node) {
    writer_.put(static_cast<uint8_t>(static_cast<unsigned>(node.kind) |
                                     static_cast<unsigned>(node.health) << 4 |
                                     (node.reduces ? 1u << 6 : 0u)));
    const bool has_more = !node.attributes.empty() || !node.known_by.empty();
    writer_.put(static_cast<uint8_t>(
        static_cast<unsigned>(node.provenance) | (node.rack.empty() ? 0 : kHasRack) |
        (node.domain.empty() ? 0 : kHasDomain) | (node.rail < 0 ? 0 : kHasRail) |
        (node.rank < 0 ? 0 : kHasRank) | (has_more ? kHasMore : 0)));
    put_number(writer_, texts_.at(node.host));
    if (!node.rack.empty()) put_number(writer_, texts_.at(node.rack));
    if (!node.domain.empty()) put_number(writer_, texts_.at(node.domain));
    if (node.rail >= 0) put_number(writer_, static_cast<uint64_t>(node.rail));
    if (node.rank >= 0) put_number(writer_, static_cast<uint64_t>(node.rank));
    if (!has_more) return;
    put_number(writer_, node.attributes.size());
    for (const auto& [key, value] : node.attributes) {
      put_number(writer_, texts_.at(key));
      put_number(writer_, texts_.at(value));
    }
    put_number(writer_, node.known_by.size());
    for (const auto& [field, by] : node.known_by) {
      put_number(writer_, texts_.at(field));
      put_number(writer_, static_cast<uint64_t>(by));
    }
  }

  void put_properties() {
    for (const Link& link : graph_.links()) properties_.try_emplace(properties_of(link));
    put_number(writer_, properties_.size());
    uint64_t next = 0;
    for (auto& [properties, index] : properties_) {
      const auto& [kind, health, provenance, bandwidth, capable, latency_ns] = properties;
      writer_.put(
          static_cast<uint8_t>(static_cast<unsigned>(kind) | static_cast<unsigned>(health) << 4));
      writer_.put(static_cast<uint8_t>(provenance));
      put_number(writer_, bandwidth);
      put_number(writer_, capable);
      put_number(writer_, latency_ns);
      index = next++;
    }
  }

  const Graph& graph_;
  std::vector<std::byte> bytes_;
  Writer writer_;
  std::map<std::string, uint64_t, std::less<>> texts_;
  std::map<Properties, uint64_t> properties_;
};

class Decoder {
 public:
  explicit Decoder(BytesView bytes) : reader_(bytes) {}

  Result<Graph> run() {
    const auto version = UNIRACK_TRY(reader_.take<uint8_t>());
    if (version != kVersion) {
      return make_error(Code::version_mismatch, "graph of version " + std::to_string(version) +
                                                    ", expected " + std::to_string(kVersion));
    }
    const size_t nodes = UNIRACK_TRY(take_count(reader_, kGraphNodesMax, kNodeBytesMin));
    const size_t links = UNIRACK_TRY(take_count(reader_, kGraphLinksMax, kLinkBytesMin));
    std::string origin;
    UNIRACK_TRY(take_text(origin, kGraphValueMax));
    UNIRACK_TRY(take_texts());
    std::string name;
    for (size_t i = 0; i < nodes; ++i) {
      UNIRACK_TRY(take_text(name, kGraphNameMax));
      Node node = UNIRACK_TRY(take_node());
      node.name = name;
      UNIRACK_TRY(builder_.add(std::move(node)));
    }
    UNIRACK_TRY(take_properties());
    UNIRACK_TRY(take_links(links));
    UNIRACK_TRY(reader_.expect_end());
    return std::move(builder_).build(std::move(origin));
  }

 private:
  // `text` holds the one before.
  Status take_text(std::string& text, size_t max) {
    const uint64_t shared = UNIRACK_TRY(take_number(reader_, text.size()));
    const uint64_t rest = UNIRACK_TRY(take_number(reader_, max - std::min<size_t>(max, shared)));
    text.resize(shared);
    text += text_of(UNIRACK_TRY(reader_.take_bytes(rest)));
    return count_text(text);
  }

  Status count_text(std::string_view text) {
    decoded_ += text.size();
    if (decoded_ <= kDecodedTextMax) return ok_status();
    return corrupted("its texts are longer than " + std::to_string(kDecodedTextMax >> 20) + " MiB");
  }

  Status take_texts() {
    const size_t count = UNIRACK_TRY(take_count(reader_, SIZE_MAX, kTextBytesMin));
    std::string text;
    for (size_t i = 0; i < count; ++i) {
      UNIRACK_TRY(take_text(text, kGraphValueMax));
      texts_.push_back(text);
    }
    return ok_status();
  }

  Result<std::string> take_indexed() {
    const uint64_t index = UNIRACK_TRY(take_number(reader_, SIZE_MAX));
    if (index >= texts_.size()) return corrupted("a text that is not there");
    UNIRACK_TRY(count_text(texts_[index]));
    return texts_[index];
  }

  Result<Node> take_node() {
    Node node;
    const auto what = UNIRACK_TRY(reader_.take<uint8_t>());
    node.kind = UNIRACK_TRY(to_enum<NodeKind>(what & 0xfu, kNodeKindCount));
    node.health = UNIRACK_TRY(to_enum<Health>(what >> 4 & 3u, kHealthCount));
    node.reduces = (what & 1 << 6) != 0;
    if (what >> 7 != 0) return corrupted("a node of a kind that does not exist");
    const auto has = UNIRACK_TRY(reader_.take<uint8_t>());
    node.provenance = UNIRACK_TRY(to_enum<Provenance>(has & 7u, kProvenanceCount));
    node.host = UNIRACK_TRY(take_indexed());
    if ((has & kHasRack) != 0) node.rack = UNIRACK_TRY(take_indexed());
    if ((has & kHasDomain) != 0) node.domain = UNIRACK_TRY(take_indexed());
    if ((has & kHasRail) != 0) node.rail = UNIRACK_TRY(take_int());
    if ((has & kHasRank) != 0) node.rank = UNIRACK_TRY(take_int());
    if ((has & kHasMore) != 0) UNIRACK_TRY(take_more(node));
    return node;
  }

  Result<int32_t> take_int() {
    return static_cast<int32_t>(UNIRACK_TRY(take_number(reader_, INT32_MAX)));
  }

  Status take_more(Node& node) {
    const size_t attributes = UNIRACK_TRY(take_count(reader_, kGraphAttributesMax, 2));
    for (size_t i = 0; i < attributes; ++i) {
      std::string key = UNIRACK_TRY(take_indexed());
      std::string value = UNIRACK_TRY(take_indexed());
      node.attributes.emplace_back(std::move(key), std::move(value));
    }
    const size_t fields = UNIRACK_TRY(take_count(reader_, 2 * kGraphAttributesMax, 2));
    for (size_t i = 0; i < fields; ++i) {
      std::string field = UNIRACK_TRY(take_indexed());
      const auto by = static_cast<unsigned>(UNIRACK_TRY(take_number(reader_, UINT8_MAX)));
      node.known_by.emplace_back(std::move(field),
                                 UNIRACK_TRY(to_enum<Provenance>(by, kProvenanceCount)));
    }
    return ok_status();
  }

  Status take_properties() {
    const size_t count = UNIRACK_TRY(take_count(reader_, kGraphLinksMax, kPropertiesBytesMin));
    for (size_t i = 0; i < count; ++i) {
      Link& link = properties_.emplace_back();
      const auto what = UNIRACK_TRY(reader_.take<uint8_t>());
      link.kind = UNIRACK_TRY(to_enum<LinkKind>(what & 0xfu, kLinkKindCount));
      link.health = UNIRACK_TRY(to_enum<Health>(unsigned{what} >> 4, kHealthCount));
      const auto by = UNIRACK_TRY(reader_.take<uint8_t>());
      link.provenance = UNIRACK_TRY(to_enum<Provenance>(by, kProvenanceCount));
      link.bandwidth = UNIRACK_TRY(take_number(reader_, kBandwidthMax));
      link.capable = UNIRACK_TRY(take_number(reader_, kBandwidthMax));
      link.latency_ns = static_cast<uint32_t>(UNIRACK_TRY(take_number(reader_, UINT32_MAX)));
    }
    return ok_status();
  }

  // Ends that do not exist are the builder's to refuse.
  Status take_links(size_t count) {
    NodeIndex from = 0;
    NodeIndex to = 0;
    for (size_t i = 0; i < count; ++i) {
      const auto step = static_cast<NodeIndex>(UNIRACK_TRY(take_number(reader_, kGraphNodesMax)));
      from = UNIRACK_TRY(advance(from, step));
      const auto beyond = static_cast<NodeIndex>(UNIRACK_TRY(take_number(reader_, kGraphNodesMax)));
      to = UNIRACK_TRY(advance(step == 0 ? to : 0, beyond));
      const uint64_t index = UNIRACK_TRY(take_number(reader_, SIZE_MAX));
      if (index >= properties_.size()) return corrupted("a link of unknown properties");
      Link link = properties_[index];
      link.from = from;
      link.to = to;
      link.count = static_cast<uint32_t>(UNIRACK_TRY(take_number(reader_, UINT32_MAX)));
      builder_.connect(link);
    }
    return ok_status();
  }

  static Result<NodeIndex> advance(NodeIndex from, NodeIndex step) {
    if (from + step >= kGraphNodesMax) return corrupted("a link to a node beyond the last");
    return from + step;
  }

  Reader reader_;
  GraphBuilder builder_;
  std::vector<std::string> texts_;
  std::vector<Link> properties_;
  size_t decoded_ = 0;
};

}  // namespace

std::vector<std::byte> encode_graph(const Graph& graph) { return Encoder(graph).run(); }

Result<Graph> decode_graph(BytesView bytes) {
  auto graph = Decoder(bytes).run();
  // What a builder refuses is no mistake of the caller's here.
  if (!graph && graph.code() == Code::invalid_argument) {
    return corrupted(graph.error().detail);
  }
  return graph;
}

}  // namespace unirack
