#include "lib/topology/discover/nvml_fabric.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace unirack {
namespace {

struct Field {
  uint32_t shift;
  uint32_t bad;  // the value that means a fault
  const char* fault;
};

// nvml.h, NVML_GPU_FABRIC_HEALTH_MASK_*; the upper two are said by newer drivers only.
constexpr std::array<Field, 6> kFields = {{
    {0, 1, "degraded bandwidth"},
    {2, 1, "route recovery in progress"},
    {4, 1, "unhealthy route"},
    {6, 1, "recovering from access timeouts"},
    {12, 2, "no partition assigned"},
    {14, 2, "fabric manager disconnected"},
}};
constexpr uint32_t kConfigurationShift = 8;
constexpr std::array<const char*, 9> kConfigurations = {
    nullptr,
    nullptr,
    "wrong system GUID",
    "wrong chassis serial number",
    "no partition",
    "too few NVLinks",
    "incompatible GPU firmware",
    "invalid location",
    "invalid GPU state",
};
constexpr std::array<const char*, 4> kStates = {"not supported", "not started", "in progress",
                                                "completed"};
constexpr std::array<const char*, 4> kSummaries = {nullptr, nullptr, "unhealthy",
                                                   "limited capacity"};

// What all layouts say.
struct Report {
  const uint8_t (*uuid)[nvml::kUuidBytes];
  nvml::Return status;
  std::optional<uint32_t> clique;
  uint8_t state;
  uint32_t health_mask = 0;
  uint8_t summary = 0;
};

FabricFacts judge(const NvmlLibrary& library, const Report& report) {
  FabricFacts facts;
  facts.state = report.state < kStates.size() ? kStates[report.state]
                                              : fmt::format("unknown state {}", report.state);
  if (report.state != static_cast<uint8_t>(nvml::FabricState::completed)) {
    if (report.state != static_cast<uint8_t>(nvml::FabricState::not_supported)) {
      facts.faults.push_back(fmt::format("registration with the fabric is {}", facts.state));
    }
    return facts;
  }
  if (report.status != nvml::kSuccess) {
    facts.faults.push_back(
        fmt::format("registration with the fabric failed: {}", library.describe(report.status)));
    return facts;
  }
  if (report.clique) facts.domain = fabric_domain(*report.uuid, *report.clique);
  if (facts.domain.empty()) return facts;
  facts.faults = fabric_faults(report.health_mask);
  const char* summary = report.summary < kSummaries.size() ? kSummaries[report.summary] : nullptr;
  if (facts.faults.empty() && summary != nullptr) facts.faults.emplace_back(summary);
  return facts;
}

std::optional<FabricFacts> read_4(const NvmlLibrary& library, nvml::Device device) {
  nvml::FabricInfo4 info{};
  if (call(library.functions().fabric_info_4, device, &info) != nvml::kSuccess) return {};
  Report report{&info.cluster_uuid, info.status,      {},
                info.state,         info.health_mask, info.health_summary};
  const uint32_t count = std::min(info.clique_count, nvml::kCliquesMax);
  for (uint32_t i = 0; i < count && !report.clique; ++i) {
    if (info.cliques[i].type == static_cast<uint8_t>(nvml::CliqueType::unicast_pointer)) {
      report.clique = info.cliques[i].id;
    }
  }
  return judge(library, report);
}

template <class Info>
bool read_versioned(const NvmlLibrary& library, nvml::Device device, uint32_t version, Info& info) {
  info.version = nvml::versioned(sizeof(Info), version);
  return call(library.functions().fabric_info_versioned, device, static_cast<void*>(&info)) ==
         nvml::kSuccess;
}

}  // namespace

std::vector<std::string> fabric_faults(uint32_t health_mask) {
  std::vector<std::string> faults;
  for (const Field& field : kFields) {
    if ((health_mask >> field.shift & 3) == field.bad) faults.emplace_back(field.fault);
  }
  const uint32_t configuration = health_mask >> kConfigurationShift & 0xf;
  if (configuration >= kConfigurations.size()) {
    faults.push_back(fmt::format("wrong configuration (reason {})", configuration));
  } else if (kConfigurations[configuration] != nullptr) {
    faults.push_back(fmt::format("wrong configuration: {}", kConfigurations[configuration]));
  }
  return faults;
}

std::string fabric_domain(const uint8_t (&cluster_uuid)[nvml::kUuidBytes], uint32_t clique) {
  if (std::all_of(std::begin(cluster_uuid), std::end(cluster_uuid),
                  [](uint8_t byte) { return byte == 0; })) {
    return {};
  }
  std::string text;
  for (int i = 0; i < nvml::kUuidBytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", cluster_uuid[i]);
  }
  return fmt::format("{}.{}", text, clique);
}

std::optional<FabricFacts> read_fabric(const NvmlLibrary& library, nvml::Device device) {
  if (auto facts = read_4(library, device)) return facts;
  nvml::FabricInfo3 three{};
  if (read_versioned(library, device, 3, three)) {
    return judge(library, {&three.cluster_uuid, three.status, three.clique_id, three.state,
                           three.health_mask, three.health_summary});
  }
  nvml::FabricInfo2 two{};
  if (read_versioned(library, device, 2, two)) {
    return judge(library,
                 {&two.cluster_uuid, two.status, two.clique_id, two.state, two.health_mask});
  }
  nvml::FabricInfo1 one{};
  if (call(library.functions().fabric_info_1, device, &one) == nvml::kSuccess) {
    return judge(library, {&one.cluster_uuid, one.status, one.clique_id, one.state});
  }
  return {};
}

}  // namespace unirack
