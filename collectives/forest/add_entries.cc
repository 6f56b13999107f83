// More entries from outside, for seats to which the links within their region cannot bring every
// tree. Such an entry is passed to nobody outside of its region, so that it may come from anyone
// who has the tree otherwise, and all together are one flow.
#include <algorithm>

#include "collectives/forest/forest_work.h"
#include "collectives/forest/path_flow.h"

namespace unirack {

namespace {

constexpr uint32_t kUnnamed = UINT32_MAX;
constexpr uint32_t kSeveral = UINT32_MAX - 1;

class EntryAdder {
 public:
  explicit EntryAdder(ForestWork& work)
      : work_(work), paths_at_(work.network.place_count), trees_held_(work.seat_count) {
    find_only_regions();
    for (uint32_t tree = 0; tree < work.tree_count; ++tree) {
      for (uint32_t seat = 0; seat < work.seat_count; ++seat) {
        if ((work.role[work.at(tree, seat)] & kHolds) == 0) continue;
        auto& held = trees_held_[seat];
        // Its own first.
        held.insert(work.roots[tree] == seat ? held.begin() : held.end(), tree);
      }
    }
  }

  Status add() {
    // Two regions do not meet; more are one flow, and what of it comes back to where it began is
    // looked for again, one region after the other.
    const auto region_count = static_cast<uint32_t>(work_.regions.regions.size());
    if (region_count > 2) UNIRACK_TRY(bring(kSeveral));
    for (uint32_t region = 0; region < region_count; ++region) UNIRACK_TRY(bring(region));
    const bool is_enough = std::all_of(work_.entries_needed.begin(), work_.entries_needed.end(),
                                       [](int64_t needed) { return needed <= 0; });
    return is_enough ? ok_status() : too_little();
  }

 private:
  using Path = std::vector<uint32_t>;  // arcs

  static Error too_little() {
    return make_error(Code::unavailable, "too little enters a region from outside");
  }

  uint32_t region_at(uint32_t place) const { return work_.regions.region_of[place]; }
  bool is_outside(uint32_t place) const { return region_at(place) == ForestRegions::kOutside; }
  uint32_t sender(const Path& path) const { return work_.seat_of[work_.arc_from(path.front())]; }
  uint32_t receiver(const Path& path) const { return work_.seat_of[work_.arc_to(path.back())]; }
  uint32_t source_of(const Path& path) const { return region_at(work_.arc_from(path.front())); }
  uint32_t target_of(const Path& path) const { return region_at(work_.arc_to(path.back())); }
  bool returns(const Path& path) const { return source_of(path) == target_of(path); }

  // Switches that only one region is plugged into.
  void find_only_regions() {
    only_region_.assign(work_.network.place_count, kUnnamed);
    for (const Pipe& pipe : work_.network.pipes) {
      for (const auto& [place, other] : {std::pair(pipe.a, pipe.b), std::pair(pipe.b, pipe.a)}) {
        if (!is_outside(place) || is_outside(other)) continue;
        uint32_t& region = only_region_[place];
        if (region == kUnnamed) region = region_at(other);
        if (region != region_at(other)) region = kSeveral;
      }
    }
  }

  // Such a switch is two nodes, so that nothing turns round there: what comes from its region goes
  // up, what comes from elsewhere goes down.
  uint32_t node_below(uint32_t place) const {
    return only_region_[place] < kSeveral ? work_.network.place_count + place : place;
  }

  // What `region` needs, or all of them.
  Status bring(uint32_t region) {
    find_paths(region);
    if (paths_.empty()) return ok_status();
    std::vector<bool> is_lost(paths_.size(), false);
    for (uint32_t index = 0; index < paths_.size(); ++index) {
      is_lost[index] = returns(paths_[index]) && !turn_away(index);
    }
    for (uint32_t index = 0; index < paths_.size(); ++index) {
      if (is_lost[index]) continue;
      const uint32_t tree = find_tree(sender(paths_[index]), receiver(paths_[index]));
      if (tree == kNoSeat) return too_little();
      enter(tree, paths_[index]);
    }
    return ok_status();
  }

  void find_paths(uint32_t region) {
    paths_.clear();
    for (auto& paths : paths_at_) paths.clear();
    const auto is_wanted = [&](uint32_t seat) {
      return work_.entries_needed[seat] > 0 &&
             (region == kSeveral || work_.region_of_seat(seat) == region);
    };
    bool is_any_wanted = false;
    for (uint32_t seat = 0; seat < work_.seat_count; ++seat) {
      is_any_wanted = is_any_wanted || is_wanted(seat);
    }
    if (!is_any_wanted) return;
    const uint32_t source = 2 * work_.network.place_count;
    PathFlow flow(source + 2);
    for (uint32_t arc = 0; arc < work_.room.size(); ++arc) {
      const uint32_t from = work_.arc_from(arc);
      const uint32_t to = work_.arc_to(arc);
      if (work_.room[arc] <= 0) continue;
      if (!is_outside(from) && region_at(from) == region_at(to)) continue;
      if (region_at(from) == region && region != kSeveral) continue;
      const bool is_up = !is_outside(from);
      const bool is_down = !is_outside(to);
      flow.add(is_up ? source : (is_down ? from : node_below(from)),
               is_up && !is_down ? node_below(to) : to, work_.room[arc], arc);
    }
    for (uint32_t seat = 0; seat < work_.seat_count; ++seat) {
      if (!is_wanted(seat)) continue;
      flow.add(work_.network.member_places[seat], source + 1, work_.entries_needed[seat], kUnnamed);
    }
    flow.raise(source, source + 1);
    // Seats in turn, so that each hears from many.
    for (bool moved = true; moved;) {
      moved = false;
      for (uint32_t seat = 0; seat < work_.seat_count; ++seat) {
        if (!is_wanted(seat)) continue;
        Path path = flow.take_path(source, work_.network.member_places[seat]);
        if (path.empty()) continue;
        moved = true;
        paths_.push_back(std::move(path));
        note_places(static_cast<uint32_t>(paths_.size() - 1));
      }
    }
  }

  void note_places(uint32_t index) {
    for (size_t i = 0; i + 1 < paths_[index].size(); ++i) {
      paths_at_[work_.arc_to(paths_[index][i])].push_back(index);
    }
  }

  // A path that returns to its region changes its beginning with another one that it meets.
  bool turn_away(uint32_t index) {
    const uint32_t region = source_of(paths_[index]);
    for (size_t i = 0; i + 1 < paths_[index].size(); ++i) {
      const uint32_t place = work_.arc_to(paths_[index][i]);
      for (const uint32_t other : paths_at_[place]) {
        if (source_of(paths_[other]) == region || target_of(paths_[other]) == region) continue;
        Path& mine = paths_[index];
        Path& theirs = paths_[other];
        // It may have changed its way since.
        const auto meets = std::find_if(theirs.begin(), theirs.end() - 1,
                                        [&](uint32_t arc) { return work_.arc_to(arc) == place; });
        if (meets == theirs.end() - 1) continue;
        const auto here = mine.begin() + static_cast<ptrdiff_t>(i) + 1;
        Path changed(theirs.begin(), meets + 1);
        changed.insert(changed.end(), here, mine.end());
        Path rest(mine.begin(), here);
        rest.insert(rest.end(), meets + 1, theirs.end());
        mine = std::move(changed);
        theirs = std::move(rest);
        note_places(index);
        note_places(other);
        return true;
      }
    }
    return false;
  }

  // A tree that the sender has otherwise than by an extra entry, and the receiver does not have.
  uint32_t find_tree(uint32_t from, uint32_t to) {
    const auto fits = [&](uint32_t tree) {
      return work_.role[work_.at(tree, to)] == 0 &&
             (work_.role[work_.at(tree, from)] & kExtra) == 0;
    };
    for (const uint32_t tree : trees_held_[from]) {
      if (fits(tree)) return tree;
    }
    for (uint32_t i = 0; i < work_.tree_count; ++i) {
      const uint32_t tree = next_tree_;
      next_tree_ = (next_tree_ + 1) % work_.tree_count;
      if (fits(tree)) return tree;
    }
    return kNoSeat;
  }

  void enter(uint32_t tree, const Path& path) {
    work_.attach(tree, sender(path), receiver(path), work_.take_route(path));
    work_.role[work_.at(tree, receiver(path))] = kExtra;
    uint8_t& role = work_.role[work_.at(tree, sender(path))];
    if ((role & kHolds) == 0) role |= kPasses;
    --work_.entries_needed[receiver(path)];
  }

  ForestWork& work_;
  std::vector<uint32_t> only_region_;  // by place
  std::vector<Path> paths_;
  std::vector<std::vector<uint32_t>> paths_at_;    // by place; some no longer come by
  std::vector<std::vector<uint32_t>> trees_held_;  // by seat
  uint32_t next_tree_ = 0;
};

}  // namespace

Status add_entries(ForestWork& work) {
  const bool is_needed = std::any_of(work.entries_needed.begin(), work.entries_needed.end(),
                                     [](int64_t needed) { return needed > 0; });
  return is_needed ? EntryAdder(work).add() : ok_status();
}

}  // namespace unirack
