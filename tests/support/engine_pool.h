// Ranks as threads, each with an engine over real transports, joined by a FakePool.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "collectives/engine.h"

namespace unirack::testing {

struct EnginePoolOptions {
  int rank_count = 2;
  std::vector<std::string> transports;  // empty: all
  std::vector<std::string> domains;     // by rank; empty: one domain
  std::vector<int> sum_shape;
  uint64_t scratch_bytes = 1 << 20;
  // On every rank's thread, when its links stand and before it has an engine.
  std::function<Status(const Fabric&, ControlPlane&, const Config&)> on_fabric;
};

// Runs `body` on every rank's own thread; returns the first error of any. Ends when all have ended.
Status run_engines(const EnginePoolOptions& options,
                   const std::function<Status(Rank, Engine&)>& body);

}  // namespace unirack::testing
