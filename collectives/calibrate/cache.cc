#include "collectives/calibrate/cache.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "collectives/calibrate/costs_file.h"
#include "include/unirack/unirack.h"
#include "lib/base/hash.h"

namespace unirack {

namespace {

namespace fs = std::filesystem;

// How old a file is by the clock that stamps files; nothing if it cannot be told.
std::optional<fs::file_time_type::duration> age_of(const std::string& path) {
  std::error_code problem;
  const auto written = fs::last_write_time(path, problem);
  if (problem) return std::nullopt;
  return fs::file_time_type::clock::now() - written;
}

}  // namespace

CostsCache::CostsCache(std::string folder, uint64_t key, Logger log)
    : folder_(std::move(folder)), log_(std::move(log)) {
  if (!folder_.empty()) path_ = fmt::format("{}/costs-{:016x}.txt", folder_, key);
}

std::optional<Costs> CostsCache::load() const {
  if (path_.empty()) return std::nullopt;
  const auto age = age_of(path_);
  if (!age) return std::nullopt;
  // A stamp in the future says that the clock was set, so nothing is known of the age.
  if (*age > kCostsAgeMax || *age < -std::chrono::minutes(1)) {
    log_.info(Subsystem::plan, "costs in {} are too old", path_);
    return std::nullopt;
  }
  auto costs = read_costs_file(path_);
  if (costs) return *costs;
  log_.warn(Subsystem::plan, "kept costs are not used: {}", costs.error().to_string());
  return std::nullopt;
}

void CostsCache::store(const Costs& costs) const {
  if (path_.empty()) return;
  std::error_code problem;
  fs::create_directories(folder_, problem);
  const Status written = problem ? Status(make_error(Code::unavailable, "cannot make " + folder_,
                                                     kNoRank, problem.value()))
                                 : write_costs_file(path_, costs);
  if (!written) log_.info(Subsystem::plan, "costs are not kept: {}", written.error().to_string());
}

uint64_t costs_key(const Topology& topology) {
  std::set<std::string_view> machines;
  for (const Node& node : topology.graph().nodes()) {
    if (!node.host.empty()) machines.insert(node.host);
  }
  Hash64 hash;
  hash.add(uint64_t{UNIRACK_VERSION_CODE});
  hash.add(topology.hash()).add(topology.graph().hash());
  for (const std::string_view machine : machines) hash.add(machine);
  return hash.value();
}

}  // namespace unirack
