// The transports that exist, best first, in one explicit table.
//
// Availability is decided at run time by probing: a transport that cannot work here answers with
// `unavailable` and the reason, which is shown to the user and is no failure.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/config.h"
#include "transports/transport.h"

namespace unirack {

// What a transport is told about the pool it serves. `domain` and `config` outlive the transport.
struct TransportContext {
  Rank rank = 0;
  int rank_count = 1;
  uint64_t instance = 0;               // same on all ranks of one communicator, differs between two
  std::span<const std::byte> job_key;  // 32 bytes, never sent
  const Config* config = nullptr;
};

struct TransportEntry {
  std::string_view name;
  Result<std::unique_ptr<Transport>> (*open)(const TransportContext& context);
};

std::span<const TransportEntry> transport_table();

struct UnavailableTransport {
  std::string_view name;
  Error reason;
};

struct OpenTransports {
  std::vector<std::unique_ptr<Transport>> opened;  // in the order of the table
  std::vector<UnavailableTransport> unavailable;
};

// Opens every transport of the table that config->transports allows (empty: all). A name there that
// no transport has is invalid_argument; a transport that cannot work here is only listed.
Result<OpenTransports> open_transports(const TransportContext& context);

}  // namespace unirack
