#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "lib/topology/discover/discover_parts.h"

namespace unirack {
namespace {

constexpr std::string_view kNodes = "/sys/devices/system/node";
constexpr std::string_view kCpus = "/sys/devices/system/cpu";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

int small_integer(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The first processor speaks for all.
CpuFacts read_cpuinfo(Sysfs& sysfs) {
  CpuFacts cpu;
  const std::string text = sysfs.read("/proc/cpuinfo").value_or("");
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      if (!cpu.name.empty() || !cpu.vendor.empty()) break;
      continue;
    }
    const std::string_view key = trim(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (key == "vendor_id") {
      cpu.vendor = value;
      cpu.architecture = "x86_64";
    } else if (key == "cpu family") {
      cpu.family = small_integer(value);
    } else if (key == "model") {
      cpu.model = small_integer(value);
    } else if (key == "model name" || key == "cpu") {
      cpu.name = value;
      if (key == "cpu") cpu.architecture = "ppc64";
    } else if (key == "CPU implementer") {
      cpu.vendor = "ARM";
      cpu.architecture = "arm64";
    }
  }
  return cpu;
}

uint64_t read_memory(Sysfs& sysfs, const std::string& path, std::string_view key) {
  const std::string text = sysfs.read(path).value_or("");
  const size_t at = text.find(key);
  if (at == std::string::npos) return 0;
  const std::string_view value = trim(std::string_view(text).substr(at + key.size()));
  uint64_t kilobytes = 0;
  std::from_chars(value.data(), value.data() + value.size(), kilobytes);
  return std::min<uint64_t>(kilobytes, uint64_t{1} << 50) * 1024;
}

std::vector<int32_t> read_distances(Sysfs& sysfs, const std::string& path) {
  std::vector<int32_t> distances;
  const std::string text = sysfs.read(path).value_or("");
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    int32_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) break;
    distances.push_back(value);
    at = std::find_if(next, end, [](char c) { return c != ' '; });
  }
  return distances;
}

int32_t read_package(Sysfs& sysfs, std::string_view cpus) {
  const auto path = fmt::format("{}/cpu{}/topology/physical_package_id", kCpus,
                                cpus.substr(0, cpus.find_first_of(",-")));
  return static_cast<int32_t>(sysfs.read_integer(path).value_or(-1));
}

// A machine whose kernel knows no NUMA is one node.
NumaFacts whole_machine(Sysfs& sysfs) {
  NumaFacts node;
  node.cpus = sysfs.read(fmt::format("{}/online", kCpus)).value_or("");
  node.cpu_count = count_cpu_list(node.cpus);
  node.memory_bytes = read_memory(sysfs, "/proc/meminfo", "MemTotal:");
  node.package = 0;
  node.provenance = node.cpus.empty() ? Provenance::assumed : Provenance::sysfs;
  return node;
}

}  // namespace

void read_numa(Sysfs& sysfs, MachineFacts& facts) {
  facts.cpu = read_cpuinfo(sysfs);
  size_t memory_only = 0;
  for (const std::string& name : sysfs.list(kNodes)) {
    const auto index =
        name.starts_with("node") ? parse_integer(std::string_view(name).substr(4)) : std::nullopt;
    if (!index || *index < 0 || *index > INT32_MAX) continue;
    const std::string folder = fmt::format("{}/{}", kNodes, name);
    NumaFacts node;
    node.index = static_cast<int32_t>(*index);
    node.cpus = sysfs.read(folder + "/cpulist").value_or("");
    node.cpu_map = sysfs.read(folder + "/cpumap").value_or("");
    node.cpu_count = count_cpu_list(node.cpus);
    if (node.cpu_count == 0) {
      ++memory_only;
      continue;
    }
    node.memory_bytes = read_memory(sysfs, folder + "/meminfo", "MemTotal:");
    node.distances = read_distances(sysfs, folder + "/distance");
    node.package = read_package(sysfs, node.cpus);
    facts.numa.push_back(std::move(node));
  }
  std::sort(facts.numa.begin(), facts.numa.end(),
            [](const NumaFacts& a, const NumaFacts& b) { return a.index < b.index; });
  if (memory_only > 0) {
    facts.notes.push_back(fmt::format(
        "{} NUMA nodes have no CPUs (memory of GPUs or CXL) and are left out", memory_only));
  }
  if (facts.numa.empty()) facts.numa.push_back(whole_machine(sysfs));
}

}  // namespace unirack
