#include "lib/topology/formats/nvidia_smi.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <unordered_map>

#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

constexpr size_t kDevicesMax = 1024;
constexpr uint32_t kNvlinksMax = 18;  // of one GPU, of all that there are
constexpr uint64_t kNvlinkBandwidth = 25'000'000'000;

struct Cell {
  bool known = false;  // an NV# hides how the devices are joined by PCI
  SmiRelation relation = SmiRelation::sys;
  uint32_t nvlinks = 0;
  bool operator==(const Cell&) const = default;
};

struct Device {
  std::string column;  // "GPU0", "NIC0", "mlx5_0"
  bool is_gpu = false;
  size_t line = 0;  // of its row; 0: none
  std::vector<Cell> cells;
  std::vector<std::string_view> texts;
  std::string cpus;  // "0-55,112-167"
  int32_t numa = -1;
};

// Without escape sequences, which colour and underline.
std::string plain_text(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b' || i + 1 >= text.size() || text[i + 1] != '[') {
      plain += text[i];
      continue;
    }
    i += 2;
    while (i < text.size() && !(text[i] >= '@' && text[i] <= '~')) ++i;
  }
  return plain;
}

// "GPU12"
std::optional<uint32_t> gpu_number(std::string_view word) {
  if (!word.starts_with("GPU")) return std::nullopt;
  return number_from<uint32_t>(word.substr(3));
}

std::optional<Cell> cell_from(std::string_view text) {
  struct Named {
    std::string_view text;
    SmiRelation relation;
  };
  // SOC is what older versions print for SYS; PSB is a bridge between GPUs of one board.
  static constexpr std::array kNamed = {
      Named{"X", SmiRelation::self},  Named{"PIX", SmiRelation::pix},
      Named{"PSB", SmiRelation::pix}, Named{"PXB", SmiRelation::pxb},
      Named{"PHB", SmiRelation::phb}, Named{"NODE", SmiRelation::node},
      Named{"SYS", SmiRelation::sys}, Named{"SOC", SmiRelation::sys}};
  for (const Named& each : kNamed) {
    if (text == each.text) return Cell{.known = true, .relation = each.relation};
  }
  if (!text.starts_with("NV")) return std::nullopt;
  const auto count = number_from<uint32_t>(text.substr(2));
  if (!count || *count == 0 || *count > 1000) return std::nullopt;
  return Cell{.nvlinks = *count};
}

class SmiReader {
 public:
  SmiReader(std::string_view text, std::string host) : text_(text), host_(std::move(host)) {}

  Result<Graph> read(const ReadOptions& options);

 private:
  Status read_rows();
  bool read_header(std::string_view line);
  Status read_row(std::string_view line, size_t number);
  Status check_rows() const;
  void read_legend_line(std::string_view line);
  Status add_devices();
  Status add_nvlinks();
  Status add_bridges();
  Status add_cpus();

  // Devices that are joined by cells up to this relation, as the lowest of each group.
  std::vector<size_t> groups(SmiRelation relation) const;
  Node make(NodeKind kind, const std::string& name) const {
    return Node{.kind = kind, .name = fmt::format("{}/{}", host_, name), .host = host_};
  }
  void attach(NodeIndex node, NodeIndex parent) {
    builder_.join({.from = parent, .to = node, .kind = LinkKind::pcie});
  }

  std::string_view text_;
  std::string host_;
  std::vector<Device> devices_;
  std::unordered_map<std::string_view, size_t> rows_;       // by column
  std::map<std::string, std::string, std::less<>> legend_;  // "NIC0" to "mlx5_0"
  GraphBuilder builder_;
  std::vector<NodeIndex> tops_;  // by device: it, or the bridge that it is behind so far
};

// The columns up to the first that is none of a device: "CPU Affinity".
bool SmiReader::read_header(std::string_view line) {
  const auto words = words_of(line);
  if (words.empty() || !gpu_number(words[0])) return false;
  if (words.size() > 1 && words[1] != "CPU" && cell_from(words[1])) return false;
  for (const std::string_view word : words) {
    if (word == "CPU" || word == "NUMA") break;
    devices_.push_back({.column = std::string(word), .is_gpu = gpu_number(word).has_value()});
  }
  return true;
}

Status SmiReader::read_row(std::string_view line, size_t number) {
  const auto words = words_of(line);
  const auto found = words.empty() ? rows_.end() : rows_.find(words[0]);
  if (found == rows_.end()) return ok_status();
  Device& device = devices_[found->second];
  if (device.line != 0) {
    return bad_text(number, device.column,
                    fmt::format("expected one row, found another in line {}", device.line));
  }
  device.line = number;
  if (words.size() - 1 < devices_.size()) {
    return bad_text(number, device.column,
                    fmt::format("expected {} cells, found {}", devices_.size(), words.size() - 1));
  }
  for (size_t i = 0; i < devices_.size(); ++i) {
    const auto cell = cell_from(words[1 + i]);
    if (!cell || (cell->relation == SmiRelation::self) != (i == found->second)) {
      return bad_text(number, device.column,
                      fmt::format("expected {} in column {}, found {}",
                                  i == found->second ? "X" : "NV#, PIX, PXB, PHB, NODE or SYS",
                                  devices_[i].column, shown(words[1 + i])));
    }
    if (cell->nvlinks > 0 && !(device.is_gpu && devices_[i].is_gpu)) {
      return bad_text(number, device.column,
                      fmt::format("expected NVLinks between GPUs only, found {} in column {}",
                                  shown(words[1 + i]), devices_[i].column));
    }
    device.cells.push_back(*cell);
    device.texts.push_back(words[1 + i]);
  }
  const auto rest = std::span(words).subspan(1 + devices_.size());
  if (!device.is_gpu || rest.empty()) return ok_status();
  if (rest[0] != "N/A") device.cpus = rest[0].substr(0, kGraphValueMax);
  if (rest.size() < 2 || rest[1] == "N/A") return ok_status();
  // "0" or "0-1"; the first counts.
  const auto numa = number_from<int32_t>(rest[1].substr(0, rest[1].find_first_of(",-", 1)));
  if (!numa || *numa < -1 || *numa > 65535) {
    return bad_text(number, device.column,
                    fmt::format("expected a NUMA node, found {}", shown(rest[1])));
  }
  device.numa = *numa;
  return ok_status();
}

// "  NIC0: mlx5_0"
void SmiReader::read_legend_line(std::string_view line) {
  const auto words = words_of(line);
  if (words.size() != 2 || !words[0].ends_with(':')) return;
  legend_.emplace(words[0].substr(0, words[0].size() - 1), words[1]);
}

Status SmiReader::read_rows() {
  LineReader lines(text_);
  while (const auto line = lines.next()) {
    if (!devices_.empty()) {
      UNIRACK_TRY(read_row(*line, lines.number()));
      read_legend_line(*line);
      continue;
    }
    if (!read_header(*line)) continue;
    if (devices_.size() > kDevicesMax) {
      return bad_text(lines.number(), "", fmt::format("expected at most {} columns", kDevicesMax));
    }
    for (size_t i = 0; i < devices_.size(); ++i) {
      if (rows_.emplace(devices_[i].column, i).second) continue;
      return bad_text(lines.number(), "",
                      fmt::format("expected one column {}, found two", shown(devices_[i].column)));
    }
  }
  if (devices_.empty()) {
    return bad_text(lines.number(), "", "expected a line of columns GPU0, GPU1, ..., found none");
  }
  return check_rows();
}

Status SmiReader::check_rows() const {
  for (const Device& device : devices_) {
    if (device.line == 0) {
      return bad_text(0, "", fmt::format("expected a row of {}, found none", shown(device.column)));
    }
  }
  for (size_t a = 0; a < devices_.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      if (devices_[a].cells[b] == devices_[b].cells[a]) continue;
      return bad_text(devices_[a].line, devices_[a].column,
                      fmt::format("expected {} in column {} as in line {}, found {}",
                                  shown(devices_[b].texts[a]), devices_[b].column, devices_[b].line,
                                  shown(devices_[a].texts[b])));
    }
  }
  return ok_status();
}

Status SmiReader::add_devices() {
  for (const Device& device : devices_) {
    Node node = make(NodeKind::gpu, "");
    if (device.is_gpu) {
      node.name = fmt::format("{}/gpu{}", host_, *gpu_number(device.column));
      if (!device.cpus.empty()) node.set_attribute("cpus", device.cpus);
      if (device.numa >= 0) node.set_attribute("numa", std::to_string(device.numa));
    } else {
      const auto named = legend_.find(device.column);
      const std::string& name = named == legend_.end() ? device.column : named->second;
      node = make(NodeKind::nic, "nic/" + name);
    }
    const auto added = builder_.add(std::move(node));
    if (!added) return bad_text(device.line, device.column, added.error().detail);
    tops_.push_back(*added);
  }
  return ok_status();
}

Status SmiReader::add_nvlinks() {
  std::vector<uint32_t> sums(devices_.size());
  std::vector<uint32_t> counts(devices_.size());
  bool switched = false;
  for (size_t a = 0; a < devices_.size(); ++a) {
    for (const Cell& cell : devices_[a].cells) {
      sums[a] += cell.nvlinks;
      counts[a] = std::max(counts[a], cell.nvlinks);
    }
    switched = switched || sums[a] > kNvlinksMax;
  }
  Link link{.kind = LinkKind::nvlink, .provenance = Provenance::assumed};
  const auto join = [&](NodeIndex from, NodeIndex to, uint32_t count) {
    link.from = from;
    link.to = to;
    link.count = count;
    link.bandwidth = count == kNvlinksMax ? 0 : kNvlinkBandwidth;
    builder_.join(link);
  };
  for (size_t a = 0; a < devices_.size(); ++a) {
    if (switched && counts[a] > 0) {
      join(tops_[a], UNIRACK_TRY(builder_.find_or_add(make(NodeKind::nvswitch, "nvswitch"))),
           counts[a]);
    }
    for (size_t b = 0; b < a && !switched; ++b) {
      const uint32_t count = devices_[a].cells[b].nvlinks;
      if (count > 0) join(tops_[b], tops_[a], count);
    }
  }
  return ok_status();
}

std::vector<size_t> SmiReader::groups(SmiRelation relation) const {
  std::vector<size_t> group(devices_.size());
  std::iota(group.begin(), group.end(), size_t{0});
  const auto find = [&](size_t at) {
    while (group[at] != at) at = group[at] = group[group[at]];
    return at;
  };
  for (size_t a = 0; a < devices_.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      const Cell& cell = devices_[a].cells[b];
      if (!cell.known || cell.relation > relation) continue;
      const size_t one = find(a);
      const size_t other = find(b);
      group[std::max(one, other)] = std::min(one, other);
    }
  }
  for (size_t i = 0; i < group.size(); ++i) group[i] = find(i);
  return group;
}

// Level by level: what parts at this level hangs on one bridge.
Status SmiReader::add_bridges() {
  struct Level {
    SmiRelation relation;
    const char* name;
  };
  static constexpr std::array kLevels = {Level{SmiRelation::pix, "pix"},
                                         Level{SmiRelation::pxb, "pxb"},
                                         Level{SmiRelation::phb, "phb"}};
  for (const Level& level : kLevels) {
    const std::vector<size_t> group = groups(level.relation);
    std::map<size_t, std::vector<NodeIndex>> members;  // by group, each once
    for (size_t i = 0; i < group.size(); ++i) {
      auto& of_group = members[group[i]];
      if (std::find(of_group.begin(), of_group.end(), tops_[i]) == of_group.end()) {
        of_group.push_back(tops_[i]);
      }
    }
    size_t count = 0;
    for (const auto& [lowest, of_group] : members) {
      if (of_group.size() < 2) continue;
      const NodeIndex bridge = UNIRACK_TRY(
          builder_.add(make(NodeKind::pcie, fmt::format("pci/{}{}", level.name, count++))));
      for (const NodeIndex each : of_group) attach(each, bridge);
      for (size_t i = 0; i < group.size(); ++i) {
        if (group[i] == lowest) tops_[i] = bridge;
      }
    }
  }
  return ok_status();
}

// A NUMA node for each that GPUs name, and one for each group that names none.
Status SmiReader::add_cpus() {
  const std::vector<size_t> group = groups(SmiRelation::node);
  std::map<size_t, int32_t> numa_of;  // by group
  int32_t next = 0;
  for (size_t i = 0; i < devices_.size(); ++i) {
    next = std::max(next, devices_[i].numa + 1);
    int32_t& numa = numa_of.emplace(group[i], -1).first->second;
    if (numa < 0) numa = devices_[i].numa;
  }
  std::map<int32_t, NodeIndex> cpus;
  std::map<NodeIndex, bool> attached;
  for (size_t i = 0; i < devices_.size(); ++i) {
    int32_t& numa = numa_of[group[i]];
    const bool named = numa >= 0;
    if (!named) numa = next++;
    if (!cpus.contains(numa)) {
      Node node = make(NodeKind::cpu, fmt::format("cpu{}", numa));
      node.set_attribute("numa", std::to_string(numa));
      node.provenance = named ? Provenance::imported : Provenance::assumed;
      cpus[numa] = UNIRACK_TRY(builder_.add(std::move(node)));
    }
    if (attached.emplace(tops_[i], true).second) attach(tops_[i], cpus[numa]);
  }
  for (auto a = cpus.begin(); a != cpus.end(); ++a) {
    for (auto b = std::next(a); b != cpus.end(); ++b) {
      builder_.join({.from = a->second,
                     .to = b->second,
                     .kind = LinkKind::smp,
                     .provenance = Provenance::assumed});
    }
  }
  return ok_status();
}

Result<Graph> SmiReader::read(const ReadOptions& options) {
  UNIRACK_TRY(read_rows());
  UNIRACK_TRY(add_devices());
  UNIRACK_TRY(add_nvlinks());
  UNIRACK_TRY(add_bridges());
  UNIRACK_TRY(add_cpus());
  return std::move(builder_).build("nvidia-smi" +
                                   (options.file_name.empty() ? "" : " " + options.file_name));
}

}  // namespace

bool recognises_nvidia_smi(std::string_view text) {
  const std::string start = plain_text(text.substr(0, 65536));
  const std::string_view first = trimmed(start);
  if (first.starts_with('<') || first.starts_with('{')) return false;
  return start.find("GPU0") != std::string::npos &&
         (start.find("Affinity") != std::string::npos || start.find(" X ") != std::string::npos);
}

Result<Graph> read_nvidia_smi(std::string_view text, const ReadOptions& options) {
  if (!is_utf8(text)) return make_error(Code::invalid_argument, "expected text in UTF-8");
  const std::string plain = plain_text(text);
  return SmiReader(plain, options.host.empty() ? "host" : options.host).read(options);
}

}  // namespace unirack
