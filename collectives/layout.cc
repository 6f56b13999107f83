#include "collectives/layout.h"

#include <array>

namespace unirack {

namespace {

constexpr std::array<std::string_view, kCollectiveCount> kNames = {
    "all_reduce",   "reduce", "reduce_scatter", "all_gather", "broadcast", "all_to_all",
    "all_to_all_v", "gather", "scatter",        "send_recv",  "barrier"};

}  // namespace

std::string_view collective_name(Collective collective) {
  return kNames[static_cast<size_t>(collective)];
}

std::optional<Collective> collective_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Collective>(i);
  }
  return std::nullopt;
}

uint32_t Layout::data_blocks() const {
  switch (collective_) {
    case Collective::reduce_scatter:
    case Collective::all_gather:
    case Collective::gather:
    case Collective::scatter:
      return ranks_;
    case Collective::all_to_all:
    case Collective::all_to_all_v:
      return ranks_ * ranks_;
    case Collective::barrier:
      return 0;
    default:
      return 1;
  }
}

uint32_t Layout::blocks(Rank rank, BufferId buffer) const {
  const bool in = buffer == BufferId::input;
  const bool at_root = rank == root_;
  switch (collective_) {
    case Collective::all_reduce:
      return 1;
    case Collective::reduce:
      return in || at_root ? 1 : 0;
    case Collective::reduce_scatter:
      return in ? ranks_ : 1;
    case Collective::all_gather:
      return in ? 1 : ranks_;
    case Collective::broadcast:
      return !in || at_root ? 1 : 0;
    case Collective::all_to_all:
    case Collective::all_to_all_v:
      return ranks_;
    case Collective::gather:
      return in ? 1 : (at_root ? ranks_ : 0);
    case Collective::scatter:
      return in ? (at_root ? ranks_ : 0) : 1;
    case Collective::send_recv:
      return in == (rank == 0) ? 1 : 0;
    case Collective::barrier:
      return 0;
  }
  return 0;
}

uint32_t Layout::data_block(Rank rank, BufferId buffer, uint32_t block) const {
  const auto self = static_cast<uint32_t>(rank);
  const bool in = buffer == BufferId::input;
  switch (collective_) {
    case Collective::reduce_scatter:
    case Collective::scatter:
      return in ? block : self;
    case Collective::all_gather:
    case Collective::gather:
      return in ? self : block;
    case Collective::all_to_all:
    case Collective::all_to_all_v:
      return in ? self * ranks_ + block : block * ranks_ + self;
    default:
      return 0;
  }
}

bool Layout::contributes(Rank rank, uint32_t data) const {
  switch (collective_) {
    case Collective::all_gather:
    case Collective::gather:
      return data == static_cast<uint32_t>(rank);
    case Collective::broadcast:
    case Collective::scatter:
      return rank == root_;
    case Collective::all_to_all:
    case Collective::all_to_all_v:
      return data / ranks_ == static_cast<uint32_t>(rank);
    case Collective::send_recv:
      return rank == 0;
    default:
      return true;
  }
}

std::optional<uint32_t> Layout::aliased_output(Rank rank, uint32_t input_block) const {
  const auto self = static_cast<uint32_t>(rank);
  switch (collective_) {
    case Collective::all_reduce:
      return 0;
    case Collective::reduce:
    case Collective::broadcast:
      return rank == root_ ? std::optional<uint32_t>(0) : std::nullopt;
    case Collective::reduce_scatter:
      return input_block == self ? std::optional<uint32_t>(0) : std::nullopt;
    case Collective::all_gather:
      return self;
    case Collective::gather:
      return rank == root_ ? std::optional<uint32_t>(self) : std::nullopt;
    case Collective::scatter:
      return rank == root_ && input_block == self ? std::optional<uint32_t>(0) : std::nullopt;
    case Collective::all_to_all:
      return input_block;
    default:
      return std::nullopt;
  }
}

}  // namespace unirack
