#include "lib/topology/formats/ibnetdiscover_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "lib/topology/formats/text_reader.h"
#include "lib/topology/graph.h"
#include "lib/topology/rates.h"

namespace unirack {

namespace {

constexpr uint32_t kPortsMax = 255;
constexpr size_t kWarningsMax = 10'000;

// What the parser has before it on a line.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  void skip_blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
  }

  bool take(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  std::optional<uint32_t> take_number() {
    const size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    const auto number = number_from<uint32_t>(rest_.substr(0, end));
    if (number) rest_.remove_prefix(end);
    return number;
  }

  // Up to `closing`, which is taken too.
  std::optional<std::string_view> take_until(char closing) {
    const size_t end = rest_.find(closing);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return taken;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// What a comment says of the node it describes: its description, and what follows.
struct Comment {
  std::string_view description;
  std::string_view after;
};

Comment comment_of(std::string_view text) {
  const size_t open = text.find('"');
  const size_t close = text.rfind('"');
  if (open == std::string_view::npos || open == close) return {};
  return {text.substr(open + 1, close - open - 1), text.substr(close + 1)};
}

std::optional<IbKind> kind_of(std::string_view word) {
  if (word == "Switch") return IbKind::network_switch;
  if (word == "Ca" || word == "Hca") return IbKind::adapter;
  if (word == "Rt") return IbKind::router;
  return std::nullopt;
}

// Lines that say nothing of the topology.
bool is_aside(std::string_view line) {
  constexpr std::array<std::string_view, 9> kBegin = {
      "vendid=", "devid=",   "sysimgguid=", "switchguid=",      "caguid=",
      "rtguid=", "Chassis ", "Hostname: ",  "Non-Chassis Nodes"};
  return line.empty() || line.front() == '#' ||
         std::any_of(kBegin.begin(), kBegin.end(),
                     [&](std::string_view each) { return line.starts_with(each); });
}

class Parser {
 public:
  Result<IbFabric> parse(std::string_view text) {
    LineReader lines(text);
    while (const auto line = lines.next()) {
      line_ = static_cast<uint32_t>(lines.number());
      if (!is_utf8(*line)) return bad("", "UTF-8", *line);
      UNIRACK_TRY(parse_line(trimmed(*line)));
    }
    if (fabric_.nodes.empty()) {
      return bad_text(0, "", "expected at least one 'Switch' or 'Ca', found none");
    }
    add_unlisted();
    UNIRACK_TRY(find_cables());
    return std::move(fabric_);
  }

 private:
  Error bad(std::string_view element, std::string_view expected, std::string_view found) const {
    return bad_text(line_, element, fmt::format("expected {}, found {}", expected, shown(found)));
  }

  Status parse_line(std::string_view line) {
    if (is_aside(line)) return ok_status();
    if (line.front() == '[') return parse_record(line);
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    if (const auto kind = kind_of(word)) return parse_node(*kind, word, line);
    return bad("", "'Switch', 'Ca', 'Rt', a port as '[1]' or a value as 'devid=0x1021'", line);
  }

  // Switch	65 "S-2c5eab0300b87b40"		# "MF0;LEAF-04:MQM9701/U1" enhanced port 0 lid 73
  // lmc
  // 0
  Status parse_node(IbKind kind, std::string_view word, std::string_view line) {
    Cursor cursor(line.substr(word.size()));
    cursor.skip_blanks();
    const std::string_view at = cursor.rest();
    const auto ports = cursor.take_number();
    if (!ports || *ports > kPortsMax) {
      return bad(word, fmt::format("a number of ports up to {}", kPortsMax), at);
    }
    cursor.skip_blanks();
    IbNode node;
    node.kind = kind;
    node.line = line_;
    node.id = UNIRACK_TRY(parse_id(cursor, word));
    cursor.skip_blanks();
    if (!cursor.rest().empty() && !cursor.take("#")) {
      return bad(word, "the end of the line or '#'", cursor.rest());
    }
    node.description = comment_of(cursor.rest()).description;
    const auto [known, is_new] =
        index_.emplace(node.id, static_cast<uint32_t>(fabric_.nodes.size()));
    if (!is_new) {
      return bad_text(line_, word,
                      fmt::format("{} is described twice, first on line {}", shown(node.id),
                                  fabric_.nodes[known->second].line));
    }
    if (fabric_.nodes.size() >= kGraphNodesMax) {
      return bad_text(line_, word, fmt::format("expected at most {} nodes", kGraphNodesMax));
    }
    ports_ = *ports;
    fabric_.nodes.push_back(std::move(node));
    return ok_status();
  }

  Result<std::string_view> parse_id(Cursor& cursor, std::string_view element) const {
    const std::string_view at = cursor.rest();
    if (!cursor.take("\"")) return bad(element, "a node in quotes", at);
    const auto id = cursor.take_until('"');
    if (!id || id->empty()) return bad(element, "a node in quotes", at);
    return *id;
  }

  // [1]	"H-e09d7303007a4bd8"[1](e09d7303007a4bd8) 		# "node1 mlx5_5" lid 647
  // 4xNDR
  Status parse_record(std::string_view line) {
    if (fabric_.nodes.empty()) return bad("", "'Switch', 'Ca' or 'Rt' before the first port", line);
    Cursor cursor(line);
    const size_t close = line.find(']');
    const std::string_view element = close < 6 ? line.substr(0, close + 1) : "port";
    IbRecord record;
    record.line = line_;
    record.port = UNIRACK_TRY(parse_port(cursor, element, ports_));
    UNIRACK_TRY(skip_guid(cursor, element));
    record.peer = UNIRACK_TRY(parse_id(cursor, element));
    cursor.skip_blanks();
    record.peer_port = UNIRACK_TRY(parse_port(cursor, element, kPortsMax));
    UNIRACK_TRY(skip_guid(cursor, element));
    if (!cursor.rest().empty() && !cursor.take("#")) {
      return bad(element, "the end of the line or '#'", cursor.rest());
    }
    const Comment comment = comment_of(cursor.rest());
    record.peer_description = comment.description;
    const auto words = words_of(comment.after);
    if (words.size() > 2 && words[0] == "lid") record.rate = words[2];
    if (++fabric_.record_count > kGraphLinksMax) {
      return bad_text(line_, element, fmt::format("expected at most {} ports", kGraphLinksMax));
    }
    fabric_.nodes.back().records.push_back(record);
    return ok_status();
  }

  // "[1]", with -g also "[1][ext 4]"
  Result<uint32_t> parse_port(Cursor& cursor, std::string_view element, uint32_t max) const {
    const std::string_view at = cursor.rest();
    const bool opened = cursor.take("[");
    const auto port = cursor.take_number();
    if (!opened || !port || *port == 0 || *port > max || !cursor.take("]")) {
      return bad(element, fmt::format("a port from [1] to [{}]", max), at);
    }
    if (cursor.take("[ext ") && !cursor.take_until(']')) return bad(element, "']'", cursor.rest());
    return *port;
  }

  // "(e09d7303007a4bd8) ", which only adapters have
  Status skip_guid(Cursor& cursor, std::string_view element) const {
    cursor.skip_blanks();
    if (cursor.take("(") && !cursor.take_until(')')) return bad(element, "')'", cursor.rest());
    cursor.skip_blanks();
    return ok_status();
  }

  void warn(uint32_t node, std::string text) {
    if (fabric_.warnings.size() < kWarningsMax) {
      fabric_.warnings.emplace_back(node, std::move(text));
    }
  }

  // Nodes that records name and that have no place of their own, as when the file is cut short.
  void add_unlisted() {
    const size_t listed = fabric_.nodes.size();
    for (size_t i = 0; i < listed; ++i) {
      for (const IbRecord& record : std::vector(fabric_.nodes[i].records)) {
        const auto index = static_cast<uint32_t>(fabric_.nodes.size());
        if (!index_.emplace(record.peer, index).second) continue;
        IbNode node;
        node.kind = record.peer.starts_with('S')   ? IbKind::network_switch
                    : record.peer.starts_with('R') ? IbKind::router
                                                   : IbKind::adapter;
        node.id = record.peer;
        node.description = record.peer_description;
        fabric_.nodes.push_back(std::move(node));
        warn(index, fmt::format("line {}: named by a port, but not described", record.line));
      }
    }
  }

  struct End {
    uint64_t key = 0;  // node and port
    uint32_t node = 0;
    const IbRecord* record = nullptr;
  };

  static uint64_t key_of(uint32_t node, uint32_t port) { return (uint64_t{node} << 32) | port; }

  uint64_t peer_key(const End& end) const {
    return key_of(index_.at(end.record->peer), end.record->peer_port);
  }

  // All records by node and port; the second of two equal ones is left out.
  Result<std::vector<End>> list_ends() {
    std::vector<End> ends;
    ends.reserve(fabric_.record_count);
    for (uint32_t i = 0; i < fabric_.nodes.size(); ++i) {
      for (const IbRecord& record : fabric_.nodes[i].records) {
        ends.push_back({key_of(i, record.port), i, &record});
      }
    }
    std::stable_sort(ends.begin(), ends.end(),
                     [](const End& a, const End& b) { return a.key < b.key; });
    size_t kept = 0;
    for (const End& end : ends) {
      if (kept == 0 || ends[kept - 1].key != end.key) {
        ends[kept++] = end;
        continue;
      }
      const End& before = ends[kept - 1];
      if (peer_key(before) != peer_key(end)) return contradiction(*before.record, *end.record);
      warn(end.node, fmt::format("line {}: port {} is listed twice, first on line {}",
                                 end.record->line, end.record->port, before.record->line));
    }
    ends.resize(kept);
    return ends;
  }

  static Error contradiction(const IbRecord& first, const IbRecord& second) {
    return bad_text(second.line, fmt::format("[{}]", second.port),
                    fmt::format("expected what line {} says, that it is joined to {}[{}]; found "
                                "{}[{}]",
                                first.line, shown(first.peer), first.peer_port, shown(second.peer),
                                second.peer_port));
  }

  Status find_cables() {
    const auto ends = UNIRACK_TRY(list_ends());
    for (const End& end : ends) {
      const uint64_t peer = peer_key(end);
      if (peer == end.key) {
        return bad_text(end.record->line, fmt::format("[{}]", end.record->port),
                        "expected another port, found that it is joined to itself");
      }
      const auto other =
          std::lower_bound(ends.begin(), ends.end(), peer,
                           [](const End& each, uint64_t key) { return each.key < key; });
      const bool both = other != ends.end() && other->key == peer;
      if (both && peer_key(*other) != end.key) {
        return bad_text(
            end.record->line, fmt::format("[{}]", end.record->port),
            fmt::format("expected {}[{}] to be joined to it, found on line {} that it "
                        "is joined to {}[{}]",
                        shown(end.record->peer), end.record->peer_port, other->record->line,
                        shown(other->record->peer), other->record->peer_port));
      }
      if (both && peer < end.key) continue;  // found from its other end
      add_cable(end, both ? &*other : nullptr);
    }
    return ok_status();
  }

  void add_cable(const End& end, const End* other) {
    IbCable cable;
    cable.from = end.node;
    cable.from_port = end.record->port;
    cable.to = index_.at(end.record->peer);
    cable.to_port = end.record->peer_port;
    cable.from_bandwidth = bandwidth_of(end);
    if (other != nullptr) {
      cable.to_bandwidth = bandwidth_of(*other);
    } else {
      cable.to_bandwidth = cable.from_bandwidth;
      // Where the other end is not described at all, that was said already.
      if (fabric_.nodes[cable.to].line != 0) {
        warn(cable.to, fmt::format("line {}: the cable at port {} is listed by its other end only",
                                   end.record->line, cable.to_port));
      }
    }
    if (cable.from_bandwidth != cable.to_bandwidth) {
      warn(end.node, fmt::format("lines {} and {}: the ends of a cable differ in rate",
                                 end.record->line, other->record->line));
    }
    if (cable.from == cable.to) {
      warn(end.node,
           fmt::format("line {}: the cable joins two ports of the same node", end.record->line));
      return;
    }
    fabric_.cables.push_back(cable);
  }

  uint64_t bandwidth_of(const End& end) {
    const auto bandwidth = infiniband_bandwidth(end.record->rate);
    if (!bandwidth) {
      warn(end.node, fmt::format("line {}: port {} has a rate that is not known, {}",
                                 end.record->line, end.record->port, shown(end.record->rate)));
    }
    return bandwidth.value_or(0);
  }

  IbFabric fabric_;
  std::unordered_map<std::string_view, uint32_t> index_;
  uint32_t line_ = 0;
  uint32_t ports_ = 0;  // of the last node
};

}  // namespace

bool recognises_ibnetdiscover(std::string_view text) {
  constexpr size_t kLooked = 4096;
  LineReader lines(text.substr(0, kLooked));
  while (const auto line = lines.next()) {
    const std::string_view here = trimmed(*line);
    if (here.starts_with("# Topology file: generated") || here.starts_with("vendid=0x")) {
      return true;
    }
    const auto words = words_of(here.substr(0, 64));
    if (words.size() > 2 && kind_of(words[0]) && number_from<uint32_t>(words[1]) &&
        words[2].starts_with('"')) {
      return true;
    }
  }
  return false;
}

Result<IbFabric> parse_ibnetdiscover(std::string_view text) { return Parser().parse(text); }

}  // namespace unirack
