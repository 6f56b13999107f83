// AMD's GPUs as their kernel driver (KFD) describes them: which are offered to this process, and
// the xGMI links between them.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lib/topology/discover/discover_parts.h"

namespace unirack {
namespace {

constexpr std::string_view kNodes = "/sys/class/kfd/kfd/topology/nodes";
constexpr int64_t kTypeXgmi = 11;  // HSA_IOLINKTYPE_XGMI
constexpr uint64_t kMegabyte = 1'000'000;
constexpr int64_t kMegabytesMax = 100'000'000;  // MB/s
constexpr int64_t kLinksMax = 64;

// Lines of a word and a number.
using Properties = std::map<std::string, int64_t, std::less<>>;

Properties read_properties(Sysfs& sysfs, const std::string& path) {
  Properties properties;
  const std::string text = sysfs.read(path).value_or("");
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    if (const auto value = parse_integer(line.substr(space + 1))) {
      properties.emplace(line.substr(0, space), *value);
    }
  }
  return properties;
}

int64_t value_of(const Properties& properties, std::string_view key) {
  const auto found = properties.find(key);
  return found == properties.end() ? 0 : found->second;
}

std::string bus_id_of(const Properties& node) {
  const int64_t location = value_of(node, "location_id");
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", value_of(node, "domain") & 0xffffffff,
                     location >> 8 & 0xff, location >> 3 & 0x1f, location & 7);
}

// 90402 is gfx942, 90010 is gfx90a.
std::string architecture_of(const Properties& node) {
  const int64_t version = value_of(node, "gfx_target_version");
  if (version <= 0) return {};
  return fmt::format("gfx{}{:x}{:x}", version / 10000, version / 100 % 100, version % 100);
}

AmdGpuFacts* gpu_at(MachineFacts& facts, const std::string& bus_id) {
  for (AmdGpuFacts& gpu : facts.amd_gpus) {
    if (gpu.bus_id == bus_id) return &gpu;
  }
  return nullptr;
}

}  // namespace

void read_kfd(Sysfs& sysfs, MachineFacts& facts) {
  std::map<int64_t, std::string> bus_ids;  // by KFD's node
  for (const std::string& name : sysfs.list(kNodes)) {
    const auto index = parse_integer(name);
    const std::string folder = fmt::format("{}/{}", kNodes, name);
    // Of GPUs that the container was not given the properties may not be read.
    const Properties node = read_properties(sysfs, folder + "/properties");
    if (!index || value_of(node, "simd_count") == 0) continue;
    AmdGpuFacts gpu;
    gpu.bus_id = bus_id_of(node);
    gpu.architecture = architecture_of(node);
    bus_ids[*index] = gpu.bus_id;
    // Partitions of one GPU have a node each and one place on the bus.
    if (gpu_at(facts, gpu.bus_id) == nullptr) facts.amd_gpus.push_back(std::move(gpu));
  }
  for (const auto& [index, bus_id] : bus_ids) {
    AmdGpuFacts& gpu = *gpu_at(facts, bus_id);
    const std::string folder = fmt::format("{}/{}/io_links", kNodes, index);
    for (const std::string& name : sysfs.list(folder)) {
      const Properties link = read_properties(sysfs, fmt::format("{}/{}/properties", folder, name));
      const auto peer = bus_ids.find(value_of(link, "node_to"));
      if (value_of(link, "type") != kTypeXgmi || peer == bus_ids.end()) continue;
      if (peer->second == bus_id) continue;
      // The least is that of one link, the most that of all; both 0 where they are not direct.
      const int64_t least = std::clamp<int64_t>(value_of(link, "min_bandwidth"), 0, kMegabytesMax);
      const int64_t most = std::clamp<int64_t>(value_of(link, "max_bandwidth"), 0, kMegabytesMax);
      if (most == 0) continue;
      const int64_t count = least == 0 ? 1 : std::clamp<int64_t>(most / least, 1, kLinksMax);
      gpu.links.push_back({peer->second, static_cast<uint32_t>(count),
                           static_cast<uint64_t>(most / count) * kMegabyte});
    }
  }
}

}  // namespace unirack
