// What ibnetdiscover prints (infiniband-diags/ibnetdiscover.c of rdma-core, with or without -g and
// -f; ibsim's net files are the same with less), as records and cables.
//
// Records point into the text, which must outlive them. Each cable should be listed by both its
// ends; what only one end lists, or what is listed twice, is kept once with a warning, and ends
// that contradict each other are an error with both lines. Pure; callable from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

// One line of a port.
struct IbRecord {
  uint32_t port = 0;
  uint32_t line = 0;
  std::string_view peer;  // the node at the other end, and its port
  uint32_t peer_port = 0;
  std::string_view peer_description;
  std::string_view rate;  // "4xNDR"; empty: not said
};

enum class IbKind : uint8_t { network_switch, adapter, router };

struct IbNode {
  IbKind kind = IbKind::adapter;
  std::string_view id;  // "S-2c5eab0300b87b40"
  std::string_view description;
  uint32_t line = 0;  // 0: only named by links
  std::vector<IbRecord> records;
};

struct IbCable {
  uint32_t from = 0;  // indices of nodes
  uint32_t from_port = 0;
  uint32_t to = 0;
  uint32_t to_port = 0;
  uint64_t from_bandwidth = 0;  // bytes/s as each end says; 0: not known
  uint64_t to_bandwidth = 0;
};

struct IbFabric {
  std::vector<IbNode> nodes;
  std::vector<IbCable> cables;
  std::vector<std::pair<uint32_t, std::string>> warnings;  // of nodes
  size_t record_count = 0;
};

// Cheap, looks at the beginning.
bool recognises_ibnetdiscover(std::string_view text);
Result<IbFabric> parse_ibnetdiscover(std::string_view text);

}  // namespace unirack
