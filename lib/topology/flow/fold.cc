#include "lib/topology/flow/fold.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace unirack {

namespace {

uint64_t mixed(uint64_t value) {  // the finisher of SplitMix64
  value += 0x9e3779b97f4a7c15ull;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return value ^ (value >> 31);
}

uint64_t joined(uint64_t a, uint64_t b) { return mixed(mixed(a) ^ b); }

struct Colours {
  std::vector<uint32_t> of;
  uint32_t count = 0;
};

// Equal hashes get equal colours, numbered by first occurrence.
Colours colours_of(const std::vector<uint64_t>& hashes) {
  std::vector<uint64_t> sorted = hashes;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<uint32_t> number(sorted.size(), UINT32_MAX);
  Colours colours;
  colours.of.reserve(hashes.size());
  for (const uint64_t hash : hashes) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), hash) - sorted.begin();
    uint32_t& name = number[static_cast<size_t>(at)];
    if (name == UINT32_MAX) name = colours.count++;
    colours.of.push_back(name);
  }
  return colours;
}

uint64_t bits(double value) { return std::bit_cast<uint64_t>(value); }

// What a row or column sees of the other kind, added up so that the order does not matter.
void refine(const std::vector<LpEntry>& entries, Colours& refined, uint32_t LpEntry::*from,
            const Colours& seen, uint32_t LpEntry::*to) {
  std::vector<uint64_t> hashes(refined.of.size());
  for (const LpEntry& entry : entries) {
    hashes[entry.*from] += joined(seen.of[entry.*to], bits(entry.value));
  }
  for (size_t i = 0; i < hashes.size(); ++i) hashes[i] = joined(hashes[i], refined.of[i]);
  refined = colours_of(hashes);
}

std::vector<uint32_t> representatives(const Colours& colours) {
  std::vector<uint32_t> first(colours.count, UINT32_MAX);
  for (uint32_t i = 0; i < colours.of.size(); ++i) {
    first[colours.of[i]] = std::min(first[colours.of[i]], i);
  }
  return first;
}

void join_entries(std::vector<LpEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const LpEntry& a, const LpEntry& b) {
    return std::tie(a.column, a.row) < std::tie(b.column, b.row);
  });
  size_t kept = 0;
  for (const LpEntry& entry : entries) {
    if (kept > 0 && entries[kept - 1].row == entry.row &&
        entries[kept - 1].column == entry.column) {
      entries[kept - 1].value += entry.value;
    } else {
      entries[kept++] = entry;
    }
  }
  entries.resize(kept);
  std::erase_if(entries, [](const LpEntry& entry) { return entry.value == 0; });
}

}  // namespace

FoldedProgram fold(const LinearProgram& program) {
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < program.lower.size(); ++i) {
    hashes.push_back(joined(bits(program.lower[i]), bits(program.upper[i])));
  }
  Colours rows = colours_of(hashes);
  hashes.clear();
  for (const double cost : program.cost) hashes.push_back(bits(cost));
  Colours columns = colours_of(hashes);
  for (;;) {
    const uint32_t before = rows.count + columns.count;
    refine(program.entries, rows, &LpEntry::row, columns, &LpEntry::column);
    refine(program.entries, columns, &LpEntry::column, rows, &LpEntry::row);
    if (rows.count + columns.count == before) break;
  }
  FoldedProgram folded;
  folded.row_class_size.assign(rows.count, 0);
  for (const uint32_t colour : rows.of) ++folded.row_class_size[colour];
  folded.program.cost.assign(columns.count, 0);
  for (size_t i = 0; i < columns.of.size(); ++i) {
    folded.program.cost[columns.of[i]] += program.cost[i];
  }
  const std::vector<uint32_t> first = representatives(rows);
  for (const uint32_t row : first) folded.program.add_row(program.lower[row], program.upper[row]);
  for (const LpEntry& entry : program.entries) {
    const uint32_t row = rows.of[entry.row];
    if (first[row] != entry.row) continue;
    folded.program.entries.push_back({row, columns.of[entry.column], entry.value});
  }
  join_entries(folded.program.entries);
  folded.row_class = std::move(rows.of);
  folded.column_class = std::move(columns.of);
  return folded;
}

LpSolution unfold(const FoldedProgram& folded, const LpSolution& solution) {
  LpSolution large;
  large.value = solution.value;
  for (const uint32_t colour : folded.column_class) {
    large.columns.push_back(solution.columns[colour]);
  }
  // The class pays its price once.
  for (const uint32_t colour : folded.row_class) {
    large.row_prices.push_back(solution.row_prices[colour] / folded.row_class_size[colour]);
  }
  return large;
}

}  // namespace unirack
