// What a rank tells all others when it joins: where it is, where its transports are, how its inbox
// and scratch are reached, and the settings on which all must agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/topology/pool.h"

namespace unirack {

struct CardTransport {
  std::string name;
  std::vector<std::byte> address;
  std::vector<std::byte> inbox;  // descriptors
  std::vector<std::byte> scratch;
  uint32_t rail_count = 1;  // that lead to it
};

struct Card {
  std::string home;  // ranks of one home stand together in sums (DESIGN.md, "One sum")
  // Whose kernel is the host id, so that ranks can be counted against cores.
  RankPlace place;
  uint64_t window_bytes = 0;
  std::vector<CardTransport> transports;
};

std::vector<std::byte> encode_card(const Card& card);
Result<Card> decode_card(std::span<const std::byte> bytes);

// UNIRACK_DOMAIN, else the boot id of this machine.
std::string home_of(const std::string& domain);
std::string host_id();

}  // namespace unirack
