// Costs that were measured before, one file a pool (collectives/calibrate/costs_file.h) in the
// user's cache folder, so that the next job of the same shape need not measure again.
//
// Nothing here is ever a failure: what cannot be read or written, is damaged or too old is said in
// a log line, and the caller measures. How old a file is, is told by its time stamp. Files are
// replaced as a whole, so any number of jobs may share a folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "collectives/simulate/costs.h"
#include "lib/base/log.h"
#include "lib/topology/topology.h"

namespace unirack {

inline constexpr std::chrono::hours kCostsAgeMax{7 * 24};

class CostsCache {
 public:
  // `folder` empty: remembers nothing. `key` is costs_key() of the pool.
  CostsCache(std::string folder, uint64_t key, Logger log);

  const std::string& path() const { return path_; }
  // Nothing: there are none, or none that serve.
  std::optional<Costs> load() const;
  void store(const Costs& costs) const;

 private:
  std::string folder_;
  std::string path_;  // empty: nowhere
  Logger log_;
};

// Of what measured costs depend on: ranks and how they reach each other, the machines by name, what
// they consist of, and the version of this library.
uint64_t costs_key(const Topology& topology);

}  // namespace unirack
