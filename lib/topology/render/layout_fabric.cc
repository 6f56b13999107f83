// A fabric: racks side by side, in each its machines as rows of GPUs and NICs in aligned columns,
// their NVLink switches as a bar at the bottom, their leaves above, the spines above those. What
// many devices of a column share is drawn as one bus in the gutter beside the column.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "lib/topology/render/fabric_groups.h"
#include "lib/topology/render/fabric_lines.h"
#include "lib/topology/render/picture.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

constexpr double kMargin = 24;
constexpr double kRackGap = 18;
constexpr double kRackRowGap = 40;
constexpr double kPad = 8;
constexpr double kHeader = 22;
constexpr double kCellHeight = 14;
constexpr double kRowPitch = 19;
constexpr double kMemberWidth = 19;
constexpr double kMemberPitch = 26;  // with the gutter of its bus
constexpr double kNicWidth = 13;
constexpr double kNicPitch = 22;
constexpr double kStrip = 5;  // a machine's own NVLink switch
constexpr double kBar = 15;   // a rack's
constexpr double kSmall = 6;  // NUMA nodes and PCIe bridges
constexpr double kSmallPitch = 8;
constexpr double kSwitchHeight = 20;
constexpr double kLabelFont = 8;
constexpr size_t kColumnsMax = 8;
constexpr double kAspectMax = 3.2;

class FabricLayout {
 public:
  FabricLayout(const Graph& graph, std::vector<Edge> edges)
      : graph_(graph),
        neighbours_(graph, edges),
        groups_(group_fabric(graph, neighbours_)),
        place_(graph.nodes().size()) {
    picture_.edges = std::move(edges);
  }

  Picture draw() {
    measure_columns();
    choose_rows();
    place_tiers();
    for (size_t i = 0; i < groups_.racks.size(); ++i) place_rack(i);
    place_shared_bars();
    add_cells();
    add_fabric_lines(graph_, groups_, place_, buses_, picture_);
    picture_.width = width_;
    picture_.height = height_;
    return std::move(picture_);
  }

 private:
  // All machines have the same columns, so that the eye can compare them.
  void measure_columns() {
    size_t members = 0, nics = 0, others = 0;
    for (const RackGroup& rack : groups_.racks) {
      if (rack.is_outside) continue;
      for (const Tray& tray : rack.trays) {
        members = std::max(members, tray.members.size());
        nics = std::max(nics, tray.nics.size());
        others = std::max(others, tray.others.size());
      }
    }
    member_columns_ = std::min(members, kColumnsMax);
    nic_columns_ = groups_.rails.empty() ? std::min(nics, kColumnsMax) : groups_.rails.size();
    measure_labels();
    const size_t rows = members == 0 ? 1 : (members + kColumnsMax - 1) / kColumnsMax;
    other_columns_ = (others + 2 * rows - 1) / (2 * rows);
    others_width_ = static_cast<double>(other_columns_) * kSmallPitch + (others > 0 ? 6 : 0);
    rack_width_ = 2 * kPad + label_width_ + others_width_ +
                  static_cast<double>(member_columns_) * kMemberPitch +
                  (nic_columns_ > 0 ? 10 + static_cast<double>(nic_columns_) * kNicPitch : 0);
    rack_width_ = std::max(rack_width_, 96.0);
  }

  // What all machines of a rack have in common is not repeated; nor, where racks are not known,
  // what all machines have.
  void measure_labels() {
    std::vector<std::string_view> all;
    for (const RackGroup& rack : groups_.racks) {
      std::vector<std::string_view> hosts;
      for (const Tray& tray : rack.trays) hosts.push_back(tray.host);
      all.insert(all.end(), hosts.begin(), hosts.end());
      host_prefix_.push_back(common_prefix(hosts));
    }
    const size_t shared = common_prefix(all);
    for (size_t i = 0; i < groups_.racks.size(); ++i) {
      if (groups_.racks[i].name.empty()) host_prefix_[i] = shared;
      for (const Tray& tray : groups_.racks[i].trays) {
        if (groups_.racks[i].is_outside) break;
        const auto label = std::string_view(tray.host).substr(host_prefix_[i]);
        label_width_ = std::max(label_width_, text_width(label, kLabelFont));
      }
    }
    label_width_ = std::clamp(label_width_, 14.0, 64.0) + 6;
  }

  double tray_height(const Tray& tray) const {
    const auto lines = [](size_t count, size_t columns) {
      return columns == 0 ? size_t{0} : (count + columns - 1) / columns;
    };
    const size_t rows = std::max({size_t{1}, lines(tray.members.size(), member_columns_),
                                  lines(tray.others.size(), other_columns_ * 2), nic_rows(tray)});
    return static_cast<double>(rows) * kRowPitch +
           static_cast<double>(tray.bars.size()) * (kStrip + 3) + 2;
  }

  // NICs of machines without members take the whole width.
  bool is_full_width(const Tray& tray) const { return tray.members.empty() && member_columns_ > 0; }
  size_t full_columns() const {
    return static_cast<size_t>((rack_width_ - 2 * kPad - label_width_) / kNicPitch);
  }

  size_t nic_rows(const Tray& tray) const {
    if (is_full_width(tray)) return (tray.nics.size() + full_columns() - 1) / full_columns();
    if (groups_.rails.empty()) {
      return nic_columns_ == 0 ? 0 : (tray.nics.size() + nic_columns_ - 1) / nic_columns_;
    }
    std::map<int32_t, size_t> rows;
    size_t most = 0;
    for (const NodeIndex nic : tray.nics) most = std::max(most, ++rows[graph_.node(nic).rail]);
    return most;
  }

  double rack_height(const RackGroup& rack) const {
    double height = kHeader + kPad;
    for (const Tray& tray : rack.trays) height += tray_height(tray);
    return height + static_cast<double>(rack.bars.size()) * (kBar + 4);
  }

  double leaf_room() const { return has_rack_leaves_ ? kSwitchHeight + 36 : 0; }

  // One row of racks unless that is far wider than high.
  void choose_rows() {
    double highest = 0;
    for (const RackGroup& rack : groups_.racks) {
      highest = std::max(highest, rack_height(rack));
      has_rack_leaves_ |= !rack.leaves.empty();
    }
    const size_t count = std::max<size_t>(groups_.racks.size(), 1);
    for (rows_ = 1; rows_ < count; ++rows_) {
      per_row_ = (count + rows_ - 1) / rows_;
      const double width = static_cast<double>(per_row_) * (rack_width_ + kRackGap);
      const double height = static_cast<double>(rows_) * (highest + leaf_room() + kRackRowGap);
      if (width / (height + 260) <= kAspectMax) break;
    }
    per_row_ = (count + rows_ - 1) / rows_;
    rack_row_height_ = highest + leaf_room() + kRackRowGap;
    width_ = std::max(
        2 * kMargin + static_cast<double>(per_row_) * (rack_width_ + kRackGap) - kRackGap, 560.0);
  }

  // Spines and what is above them, then leaves that several racks share.
  void place_tiers() {
    double y = kMargin;
    for (size_t tier = groups_.tiers.size(); tier-- > 0;) {
      const auto& switches = groups_.tiers[tier];
      if (switches.empty()) continue;
      y = place_switch_rows(switches, kMargin, width_ - 2 * kMargin, y, 78);
      const bool is_last = tier == 0;
      y += is_last ? 44 : std::clamp(width_ / 9, 90.0, 210.0);
    }
    racks_top_ = y;
    height_ = y + static_cast<double>(groups_.racks.empty() ? 0 : rows_) * rack_row_height_ -
              kRackRowGap + kMargin;
  }

  // Returns the bottom of the last row.
  double place_switch_rows(const std::vector<NodeIndex>& switches, double x, double width, double y,
                           double cell_max) {
    constexpr double kGap = 5, kCellMin = 26;
    const auto fit = static_cast<size_t>(std::max(1.0, width / (kCellMin + kGap)));
    const size_t rows = (switches.size() + fit - 1) / fit;
    const size_t per_row = (switches.size() + rows - 1) / rows;
    const double cell = std::min(cell_max, (width + kGap) / static_cast<double>(per_row) - kGap);
    // Few switches stand apart, so that their lines do too.
    const double pitch = std::min((width + kGap) / static_cast<double>(per_row), cell + 60);
    const double begin = x + (width - pitch * static_cast<double>(per_row) + (pitch - cell)) / 2;
    for (size_t i = 0; i < switches.size(); ++i) {
      const size_t row = i / per_row;
      place_[switches[i]] = {begin + pitch * static_cast<double>(i % per_row),
                             y + static_cast<double>(row) * (kSwitchHeight + kGap), cell,
                             kSwitchHeight};
    }
    return y + static_cast<double>(rows) * (kSwitchHeight + kGap) - kGap;
  }

  void place_rack(size_t index) {
    const RackGroup& rack = groups_.racks[index];
    const size_t row = index / per_row_;
    const size_t in_row = std::min(per_row_, groups_.racks.size() - row * per_row_);
    const double begin =
        (width_ - static_cast<double>(in_row) * (rack_width_ + kRackGap) + kRackGap) / 2;
    const double x = begin + static_cast<double>(index % per_row_) * (rack_width_ + kRackGap);
    double y = racks_top_ + static_cast<double>(row) * rack_row_height_;
    if (!rack.leaves.empty()) place_switch_rows(rack.leaves, x, rack_width_, y, 62);
    y += leaf_room();
    Rect frame{x, y, rack_width_, rack_height(rack)};
    size_t gpus = 0;
    for (const Tray& tray : rack.trays) gpus += tray.members.size();
    // Up to the NICs, whose buses leave upwards.
    picture_.frames.push_back({FrameKind::rack, frame, rack_label(rack, gpus, nics_x(0) - 10), {}});
    y += kHeader;
    Rect domain{members_x(x) - 4, y - 2, static_cast<double>(member_columns_) * kMemberPitch + 5,
                0};
    for (const Tray& tray : rack.trays) {
      place_tray(tray, host_prefix_[index], x, y);
      y += tray_height(tray);
    }
    for (const NodeIndex bar : rack.bars) {
      place_[bar] = {members_x(x), y + 2, domain.width - 9, kBar};
      y += kBar + 4;
    }
    domain.height = y - domain.y + 1;
    if (has_wide_domain(rack)) picture_.frames.push_back({FrameKind::domain, domain, {}, {}});
    buses_.rack_frames.push_back(frame);
  }

  std::string rack_label(const RackGroup& rack, size_t members, double width) const {
    constexpr double kFont = 10;
    if (rack.is_outside) return "in no rack";
    const std::string count =
        members == 0 ? "" : count_text(members, member_word(rack), member_word(rack, 2));
    if (rack.name.empty()) return fitted(count, width, kFont);
    const std::string label = rack.name + (count.empty() ? "" : " \u00b7 " + count);
    const bool says_rack = rack.name.starts_with("rack");
    if (!says_rack && text_width("rack " + label, kFont) <= width) return "rack " + label;
    return fitted(label, width, kFont);
  }

  std::string_view member_word(const RackGroup& rack, size_t count = 1) const {
    for (const Tray& tray : rack.trays) {
      if (!tray.members.empty()) return display_name(graph_.node(tray.members[0]).kind, count);
    }
    return {};
  }

  // A domain of several machines is framed as a whole.
  bool has_wide_domain(const RackGroup& rack) const {
    if (!rack.bars.empty()) return true;
    const auto in_shared = [&](NodeIndex member) {
      return std::any_of(neighbours_.of(member).begin(), neighbours_.of(member).end(),
                         [&](const auto& one) {
                           const Node& node = graph_.node(one.node);
                           return node.kind == NodeKind::nvswitch && node.host.empty();
                         });
    };
    return std::any_of(rack.trays.begin(), rack.trays.end(), [&](const Tray& tray) {
      return std::any_of(tray.members.begin(), tray.members.end(), in_shared);
    });
  }

  double members_x(double rack_x) const { return rack_x + kPad + label_width_ + others_width_; }
  double nics_x(double rack_x) const {
    return members_x(rack_x) + static_cast<double>(member_columns_) * kMemberPitch + 10;
  }

  void place_tray(const Tray& tray, size_t prefix, double rack_x, double y) {
    const double left = rack_x + kPad;
    if (!tray.host.empty()) {
      picture_.labels.push_back(
          {left, y + kCellHeight - 3.5,
           fitted(std::string_view(tray.host).substr(prefix), label_width_ - 5, kLabelFont),
           kLabelFont, false});
    }
    for (size_t i = 0; i < tray.others.size(); ++i) {
      const size_t row = i / other_columns_;
      place_[tray.others[i]] = {
          left + label_width_ + static_cast<double>(i % other_columns_) * kSmallPitch,
          y + static_cast<double>(row) * kSmallPitch, kSmall, kSmall};
    }
    for (size_t i = 0; i < tray.members.size(); ++i) {
      const size_t column = i % member_columns_;
      const size_t row = i / member_columns_;
      place_[tray.members[i]] = {members_x(rack_x) + static_cast<double>(column) * kMemberPitch,
                                 y + static_cast<double>(row) * kRowPitch, kMemberWidth,
                                 kCellHeight};
    }
    const size_t member_rows =
        member_columns_ == 0 ? 0 : (tray.members.size() + member_columns_ - 1) / member_columns_;
    double below = y + static_cast<double>(member_rows) * kRowPitch - 1;
    const double members_width =
        static_cast<double>(member_columns_) * kMemberPitch - (kMemberPitch - kMemberWidth);
    for (const NodeIndex bar : tray.bars) {
      place_[bar] = {members_x(rack_x), below + 1, members_width, kStrip};
      below += kStrip + 3;
    }
    if (is_own_domain(tray)) {
      picture_.frames.push_back({FrameKind::domain,
                                 {members_x(rack_x) - 3, y - 2.5, members_width + 6,
                                  below - y + (tray.bars.empty() ? 1.5 : 2)},
                                 {},
                                 {}});
    }
    if (is_full_width(tray)) {
      for (size_t i = 0; i < tray.nics.size(); ++i) {
        const size_t row = i / full_columns();
        place_[tray.nics[i]] = {
            left + label_width_ + static_cast<double>(i % full_columns()) * kNicPitch,
            y + static_cast<double>(row) * kRowPitch, kNicWidth, kCellHeight};
      }
      return;
    }
    place_nics(tray, nics_x(rack_x), y);
  }

  bool is_own_domain(const Tray& tray) const {
    if (!tray.bars.empty()) return true;
    if (tray.members.size() < 2) return false;
    const std::string& domain = graph_.node(tray.members[0]).domain;
    const bool is_wide = std::any_of(
        neighbours_.of(tray.members[0]).begin(), neighbours_.of(tray.members[0]).end(),
        [&](const auto& one) { return graph_.node(one.node).kind == NodeKind::nvswitch; });
    return !domain.empty() && !is_wide &&
           std::all_of(tray.members.begin(), tray.members.end(),
                       [&](NodeIndex i) { return graph_.node(i).domain == domain; });
  }

  void place_nics(const Tray& tray, double x, double y) {
    std::map<size_t, size_t> filled;  // rows used, by column
    for (size_t i = 0; i < tray.nics.size(); ++i) {
      const NodeIndex nic = tray.nics[i];
      size_t column = i % std::max<size_t>(nic_columns_, 1);
      if (!groups_.rails.empty()) {
        column = static_cast<size_t>(
            std::find(groups_.rails.begin(), groups_.rails.end(), graph_.node(nic).rail) -
            groups_.rails.begin());
      }
      const size_t row = filled[column]++;
      place_[nic] = {x + static_cast<double>(column) * kNicPitch,
                     y + static_cast<double>(row) * kRowPitch, kNicWidth, kCellHeight};
    }
    // An outline where a rail's NIC is not there.
    for (size_t column = 0; column < groups_.rails.size() && !tray.members.empty(); ++column) {
      if (filled.contains(column)) continue;
      picture_.frames.push_back(
          {FrameKind::absent,
           {x + static_cast<double>(column) * kNicPitch, y, kNicWidth, kCellHeight},
           {},
           {}});
    }
  }

  void place_shared_bars() {
    for (const NodeIndex bar : groups_.shared_bars) {
      double first = width_, last = 0;
      for (const auto& [next, edge] : neighbours_.of(bar)) {
        if (groups_.rack_of[next] == FabricGroups::kNoRack) continue;
        first = std::min(first, place_[next].x);
        last = std::max(last, place_[next].right());
      }
      if (last <= first) first = kMargin, last = kMargin + 120;
      place_[bar] = {first, height_ - kMargin + 16, last - first, kBar};
      height_ += kBar + 20;
    }
  }

  void add_cells() {
    const std::vector<int> tiers = switch_tiers(graph_);
    std::map<int, std::vector<NodeIndex>> by_tier;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      if (tiers[i] > 0) by_tier[tiers[i]].push_back(i);
    }
    std::map<NodeIndex, std::string_view> tails;
    for (const auto& [tier, switches] : by_tier) {
      std::vector<std::string_view> names;
      for (const NodeIndex i : switches) names.push_back(graph_.node(i).name);
      const auto all = distinct_tails(names);
      for (size_t i = 0; i < switches.size(); ++i) tails[switches[i]] = all[i];
    }
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      PictureCell cell;
      cell.node = i;
      cell.at = place_[i];
      cell.is_bar = node.kind == NodeKind::nvswitch;
      std::string_view name = short_name(node.name);
      if (tiers[i] > 0) name = tails[i];
      const std::string bar =
          cell.is_bar ? bar_label(graph_, neighbours_, picture_.edges, i, cell.at.width - 4, 8)
                      : "";
      if (cell.is_bar) name = bar;
      // Devices by their number, which is what differs along a row.
      if (cell.at.width <= kMemberWidth) name = trailing_number(name);
      const bool has_room = cell.at.height >= kCellHeight;
      cell.font = tiers[i] > 0 ? 8.5 : kLabelFont;
      if (has_room) cell.label = fitted(name, cell.at.width - 3, cell.font);
      picture_.cells.push_back(std::move(cell));
    }
  }

  static std::string_view trailing_number(std::string_view name) {
    size_t begin = name.size();
    while (begin > 0 && name[begin - 1] >= '0' && name[begin - 1] <= '9') --begin;
    return name.size() - begin <= 3 ? name.substr(begin) : std::string_view();
  }

  const Graph& graph_;
  Neighbours neighbours_;
  FabricGroups groups_;
  Picture picture_;
  std::vector<Rect> place_;
  Buses buses_;
  size_t member_columns_ = 0, nic_columns_ = 0, other_columns_ = 0;
  std::vector<size_t> host_prefix_;  // by rack
  size_t rows_ = 1, per_row_ = 1;
  bool has_rack_leaves_ = false;
  double label_width_ = 0, others_width_ = 0, rack_width_ = 0;
  double rack_row_height_ = 0, racks_top_ = 0, width_ = 0, height_ = 0;
};

}  // namespace

Picture draw_fabric(const Graph& graph, std::vector<Edge> edges) {
  return FabricLayout(graph, std::move(edges)).draw();
}

}  // namespace unirack
