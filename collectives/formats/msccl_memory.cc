#include "collectives/formats/msccl_memory.h"

#include <bit>
#include <utility>

namespace unirack {

Contributors::Contributors(int rank_count, Rank first)
    : words_(static_cast<size_t>(rank_count + 63) / 64, 0) {
  words_[static_cast<size_t>(first) / 64] |= uint64_t{1} << (first % 64);
}

std::optional<Rank> Contributors::add(const Contributors& other) {
  for (size_t i = 0; i < words_.size(); ++i) {
    const uint64_t both = words_[i] & other.words_[i];
    if (both != 0) return static_cast<Rank>(i * 64) + std::countr_zero(both);
  }
  for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  return std::nullopt;
}

int Contributors::count() const {
  int count = 0;
  for (const uint64_t word : words_) count += std::popcount(word);
  return count;
}

Slice MscclMemory::slice_of(Rank gpu, MscclPlace place) const {
  const uint32_t block = place.chunk / algorithm_.chunks;
  return {gpu, place.buffer, block,
          layout_.data_block(gpu, place.buffer, block) * algorithm_.chunks};
}

uint32_t MscclMemory::part_at(Rank gpu, MscclPlace place) const {
  return slice_of(gpu, place).origin + place.chunk % algorithm_.chunks;
}

Held MscclMemory::contribution(Rank gpu, MscclPlace input) const {
  Held held;
  held.part = part_at(gpu, input);
  held.from = Contributors(algorithm_.rank_count(), gpu);
  held.at = slice_of(gpu, input);
  return held;
}

// The input that shares memory with this place of the output.
std::optional<MscclPlace> MscclMemory::aliased_input(Rank gpu, MscclPlace output) const {
  const uint32_t inputs = layout_.blocks(gpu, BufferId::input);
  for (uint32_t block = 0; algorithm_.in_place && block < inputs; ++block) {
    if (layout_.aliased_output(gpu, block) != output.chunk / algorithm_.chunks) continue;
    return MscclPlace{BufferId::input,
                      block * algorithm_.chunks + output.chunk % algorithm_.chunks};
  }
  return std::nullopt;
}

std::optional<Held> MscclMemory::read(LaneId reader, MscclPlace place) {
  const ChunkKey key{reader.rank, place.buffer, place.chunk};
  const auto found = chunks_.find(key);
  if (found != chunks_.end()) return found->second;
  if (place.buffer == BufferId::input) return contribution(reader.rank, place);
  if (place.buffer == BufferId::scratch) return std::nullopt;
  const auto input = aliased_input(reader.rank, place);
  if (!input) return std::nullopt;
  first_read_.try_emplace(key, reader);
  return contribution(reader.rank, *input);
}

void MscclMemory::store(Rank gpu, MscclPlace first, uint32_t index, Held held) {
  const MscclPlace at = place(gpu, first, index);
  chunks_[{gpu, at.buffer, at.chunk}] = std::move(held);
}

bool MscclMemory::is_whole(const Held& held) const {
  return !is_reduction(algorithm_.collective) || held.from.count() == algorithm_.rank_count();
}

std::optional<Slice> MscclMemory::output_for(Rank gpu, MscclPlace first, uint32_t index,
                                             const Held& held) const {
  const MscclPlace at = place(gpu, first, index);
  if (at.buffer != BufferId::output || !is_whole(held)) return std::nullopt;
  if (part_at(gpu, at) != held.part) return std::nullopt;
  return slice_of(gpu, at);
}

std::vector<MscclMemory::OwnChunk> MscclMemory::own_chunks() const {
  std::vector<OwnChunk> own;
  for (Rank rank = 0; rank < algorithm_.rank_count(); ++rank) {
    const uint32_t chunks = layout_.blocks(rank, BufferId::output) * algorithm_.chunks;
    for (uint32_t chunk = 0; chunk < chunks; ++chunk) {
      const MscclPlace output{BufferId::output, chunk};
      const ChunkKey key{rank, BufferId::output, chunk};
      const auto input = aliased_input(rank, output);
      if (chunks_.contains(key) || !input) continue;
      const Held held = contribution(rank, *input);
      if (!is_whole(held) || part_at(rank, output) != held.part) continue;
      const auto reader = first_read_.find(key);
      own.push_back({reader == first_read_.end() ? LaneId{rank, 0} : reader->second, held.part,
                     slice_of(rank, output), held.at});
    }
  }
  return own;
}

}  // namespace unirack
