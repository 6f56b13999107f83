#include "transports/registry.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "transports/loopback/loopback_transport.h"
#include "transports/shm/shm_transport.h"
#include "transports/tcp/tcp_transport.h"

namespace unirack {
namespace {

constexpr std::array kTable = {
    TransportEntry{"loopback", &LoopbackTransport::open},
    TransportEntry{"shm", &ShmTransport::open},
    TransportEntry{"tcp", &TcpTransport::open},
};

Status check_names(std::span<const std::string> names) {
  for (const std::string& name : names) {
    if (std::ranges::find(kTable, name, &TransportEntry::name) != kTable.end()) continue;
    std::string known;
    for (const TransportEntry& entry : kTable) known.append(" ").append(entry.name);
    return make_error(Code::invalid_argument,
                      "no transport is called \"" + name + "\"; the known ones are" + known);
  }
  return ok_status();
}

}  // namespace

std::span<const TransportEntry> transport_table() { return kTable; }

Result<OpenTransports> open_transports(const TransportContext& context) {
  const std::vector<std::string>& wanted = context.config->transports;
  UNIRACK_TRY(check_names(wanted));
  OpenTransports transports;
  for (const TransportEntry& entry : kTable) {
    if (!wanted.empty() && std::ranges::find(wanted, entry.name) == wanted.end()) continue;
    if (auto opened = entry.open(context)) {
      transports.opened.push_back(std::move(opened).value());
    } else {
      transports.unavailable.push_back({entry.name, std::move(opened).error()});
    }
  }
  return transports;
}

}  // namespace unirack
