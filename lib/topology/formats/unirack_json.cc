#include "lib/topology/formats/unirack_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "lib/topology/formats/json_file.h"
#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

constexpr std::string_view kFileFields[] = {"unirack_topology", "origin", "nodes", "links"};
constexpr std::string_view kNodeFields[] = {"name",    "kind",       "host",     "rack",
                                            "domain",  "rail",       "rank",     "health",
                                            "reduces", "provenance", "known_by", "attributes"};
constexpr std::string_view kLinkFields[] = {"from",       "to",         "kind",  "bandwidth",
                                            "capable",    "latency_ns", "count", "health",
                                            "provenance", "both_ways"};

// Names of an enumeration for an error: all that `text_of` gives for 0 to count - 1.
template <class Enum>
std::string names_of(int count) {
  std::string names;
  for (int i = 0; i < count; ++i) {
    names += fmt::format("{}{}", i == 0 ? "" : ", ", to_text(static_cast<Enum>(i)));
  }
  return names;
}

class JsonReader {
 public:
  explicit JsonReader(const JsonFile& file) : file_(file) {}

  Result<Graph> read(const ReadOptions& options);

 private:
  Status read_version();
  Status read_node(const JsonValue& value);
  Status read_attributes(const JsonValue& value, Node& node);
  Status read_known_by(const JsonValue& value, Node& node);
  Status read_link(const JsonValue& value);
  Result<NodeIndex> end_of_link(const JsonValue& value, std::string_view key);
  Status needs_object(const JsonValue& value, std::span<const std::string_view> fields);

  // Sets `target` where the field stands.
  Status set_text(const JsonValue& value, std::string_view key, std::string& target);
  template <class T>
  Status set_integer(const JsonValue& value, std::string_view key, int64_t min, int64_t max,
                     T& target);
  template <class Enum>
  Status set_enum(const JsonValue& value, std::string_view key,
                  std::optional<Enum> (*from)(std::string_view), int count, Enum& target);

  const JsonFile& file_;
  GraphBuilder builder_;
};

Status JsonReader::set_text(const JsonValue& value, std::string_view key, std::string& target) {
  if (const auto text = UNIRACK_TRY(file_.text(value, key))) target = *text;
  return ok_status();
}

template <class T>
Status JsonReader::set_integer(const JsonValue& value, std::string_view key, int64_t min,
                               int64_t max, T& target) {
  if (const auto number = UNIRACK_TRY(file_.integer(value, key, min, max))) {
    target = static_cast<T>(*number);
  }
  return ok_status();
}

template <class Enum>
Status JsonReader::set_enum(const JsonValue& value, std::string_view key,
                            std::optional<Enum> (*from)(std::string_view), int count,
                            Enum& target) {
  const auto text = UNIRACK_TRY(file_.text(value, key));
  if (!text) return ok_status();
  const auto found = from(*text);
  if (!found) {
    return file_.error(*value.find(key), fmt::format("expected one of {}, found {}",
                                                     names_of<Enum>(count), shown(*text)));
  }
  target = *found;
  return ok_status();
}

Status JsonReader::needs_object(const JsonValue& value, std::span<const std::string_view> fields) {
  if (!value.is_object()) return file_.error(value, expected_kind("an object", value));
  return file_.expect_only(value, fields);
}

Status JsonReader::read_version() {
  const JsonValue& root = file_.root();
  const JsonValue* version = root.find("unirack_topology");
  if (version == nullptr) {
    return file_.error(root, "expected the version in 'unirack_topology', found none");
  }
  if (version->kind != JsonValue::Kind::integer || version->integer != kTopologyJsonVersion) {
    return file_.error(
        *version,
        expected_kind(fmt::format("version {} of this format", kTopologyJsonVersion), *version));
  }
  return file_.expect_only(root, kFileFields);
}

Status JsonReader::read_attributes(const JsonValue& value, Node& node) {
  const JsonValue* attributes = UNIRACK_TRY(file_.object(value, "attributes"));
  if (attributes == nullptr) return ok_status();
  node.attributes.reserve(attributes->keys.size());
  for (size_t i = 0; i < attributes->keys.size(); ++i) {
    const JsonValue& text = attributes->items[i];
    if (text.kind != JsonValue::Kind::text) return file_.error(text, expected_kind("a text", text));
    node.attributes.emplace_back(attributes->keys[i], text.text);
  }
  std::sort(node.attributes.begin(), node.attributes.end());
  return ok_status();
}

Status JsonReader::read_known_by(const JsonValue& value, Node& node) {
  const JsonValue* known_by = UNIRACK_TRY(file_.object(value, "known_by"));
  if (known_by == nullptr) return ok_status();
  for (const std::string& key : known_by->keys) {
    Provenance provenance{};
    UNIRACK_TRY(set_enum(*known_by, key, provenance_from, kProvenanceCount, provenance));
    node.known_by.emplace_back(key, provenance);
  }
  std::sort(node.known_by.begin(), node.known_by.end());
  return ok_status();
}

Status JsonReader::read_node(const JsonValue& value) {
  UNIRACK_TRY(needs_object(value, kNodeFields));
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  Node node;
  if (value.find("name") == nullptr) return file_.error(value, "expected 'name', found none");
  if (value.find("kind") == nullptr) return file_.error(value, "expected 'kind', found none");
  UNIRACK_TRY(set_text(value, "name", node.name));
  UNIRACK_TRY(set_enum(value, "kind", node_kind_from, kNodeKindCount, node.kind));
  UNIRACK_TRY(set_text(value, "host", node.host));
  UNIRACK_TRY(set_text(value, "rack", node.rack));
  UNIRACK_TRY(set_text(value, "domain", node.domain));
  UNIRACK_TRY(set_integer(value, "rail", -1, kMax, node.rail));
  UNIRACK_TRY(set_integer(value, "rank", -1, kMax, node.rank));
  UNIRACK_TRY(set_enum(value, "health", health_from, kHealthCount, node.health));
  UNIRACK_TRY(set_enum(value, "provenance", provenance_from, kProvenanceCount, node.provenance));
  node.reduces = UNIRACK_TRY(file_.boolean(value, "reduces")).value_or(false);
  UNIRACK_TRY(read_known_by(value, node));
  UNIRACK_TRY(read_attributes(value, node));
  const auto added = builder_.add(std::move(node));
  if (!added) return file_.error(value, added.error().detail);
  return ok_status();
}

Result<NodeIndex> JsonReader::end_of_link(const JsonValue& value, std::string_view key) {
  const auto name = UNIRACK_TRY(file_.text(value, key));
  if (!name) return file_.error(value, fmt::format("expected '{}', found none", key));
  const auto found = builder_.find(*name);
  if (!found) {
    return file_.error(*value.find(key),
                       fmt::format("expected the name of a node, found {}", shown(*name)));
  }
  return *found;
}

Status JsonReader::read_link(const JsonValue& value) {
  UNIRACK_TRY(needs_object(value, kLinkFields));
  Link link;
  link.from = UNIRACK_TRY(end_of_link(value, "from"));
  link.to = UNIRACK_TRY(end_of_link(value, "to"));
  if (link.from == link.to) {
    return file_.error(value, "expected two nodes in 'from' and 'to', found one");
  }
  if (value.find("kind") == nullptr) return file_.error(value, "expected 'kind', found none");
  constexpr int64_t kFastest = int64_t{kBandwidthMax};
  constexpr int64_t kMax = std::numeric_limits<uint32_t>::max();
  UNIRACK_TRY(set_enum(value, "kind", link_kind_from, kLinkKindCount, link.kind));
  UNIRACK_TRY(set_integer(value, "bandwidth", 0, kFastest, link.bandwidth));
  UNIRACK_TRY(set_integer(value, "capable", 0, kFastest, link.capable));
  UNIRACK_TRY(set_integer(value, "latency_ns", 0, kMax, link.latency_ns));
  UNIRACK_TRY(set_integer(value, "count", 1, kMax, link.count));
  UNIRACK_TRY(set_enum(value, "health", health_from, kHealthCount, link.health));
  UNIRACK_TRY(set_enum(value, "provenance", provenance_from, kProvenanceCount, link.provenance));
  const uint64_t fastest = std::max(link.bandwidth, link.capable);
  if (fastest > kBandwidthMax / link.count) {
    return file_.error(value, fmt::format("expected at most 2^60 bytes/s, found {} times {}",
                                          link.count, fastest));
  }
  const bool both_ways = UNIRACK_TRY(file_.boolean(value, "both_ways")).value_or(false);
  if (both_ways) {
    builder_.join(link);
  } else {
    builder_.connect(link);
  }
  return ok_status();
}

Result<Graph> JsonReader::read(const ReadOptions& options) {
  const JsonValue& root = file_.root();
  if (!root.is_object()) return file_.error(root, expected_kind("an object", root));
  UNIRACK_TRY(read_version());
  const JsonValue* nodes = UNIRACK_TRY(file_.list(root, "nodes"));
  const JsonValue* links = UNIRACK_TRY(file_.list(root, "links"));
  if (nodes == nullptr) return file_.error(root, "expected a list in 'nodes', found none");
  for (const JsonValue& value : nodes->items) UNIRACK_TRY(read_node(value));
  if (links != nullptr) {
    for (const JsonValue& value : links->items) UNIRACK_TRY(read_link(value));
  }
  std::string origin(UNIRACK_TRY(file_.text(root, "origin")).value_or(""));
  if (origin.empty()) {
    origin = "unirack-json" + (options.file_name.empty() ? "" : " " + options.file_name);
  }
  return std::move(builder_).build(std::move(origin));
}

}  // namespace

// Our version stands first in what we write, but may stand anywhere.
bool recognises_unirack_json(std::string_view text) {
  return trimmed(text.substr(0, 4096)).starts_with('{') &&
         text.find("\"unirack_topology\"") != std::string_view::npos;
}

Result<Graph> read_unirack_json(std::string_view text, const ReadOptions& options) {
  const JsonFile file = UNIRACK_TRY(JsonFile::parse(text));
  return JsonReader(file).read(options);
}

}  // namespace unirack
