// A stand-in for libnvidia-ml.so.1. The test that opened it fills fake_nvml_state. With
// UNIRACK_FAKE_NVML_OLD it lacks what drivers before 2022 lack.
#include "tests/support/fake_nvml.h"

#include <cstdio>
#include <cstring>

using unirack::testing::FakeGpu;
using unirack::testing::FakeLink;
using unirack::testing::FakeNvml;
using namespace unirack::nvml;  // NOLINT: this file is NVML

#define FAKE extern "C" __attribute__((visibility("default")))

extern "C" __attribute__((visibility("default"))) FakeNvml fake_nvml_state;
FakeNvml fake_nvml_state;

namespace {

// Handles are the index plus one.
FakeGpu& gpu_of(Device device) {
  return fake_nvml_state.gpus[reinterpret_cast<uintptr_t>(device) - 1];
}

size_t index_of(Device device) { return reinterpret_cast<uintptr_t>(device) - 1; }

void set_text(char* target, const char* text, uint32_t length) {
  std::snprintf(target, length, "%s", text);
}

void set_pci(PciInfo* pci, uint32_t bus) {
  *pci = {};
  pci->bus = bus;
  std::snprintf(pci->bus_id, sizeof(pci->bus_id), "00000000:%02X:00.0", bus);
}

const FakeLink* link_of(Device device, uint32_t link) {
  return link < 36 && gpu_of(device).links[link].exists ? &gpu_of(device).links[link] : nullptr;
}

}  // namespace

FAKE Return nvmlInit_v2() {
  if (fake_nvml_state.init == kSuccess) ++fake_nvml_state.open_count;
  return fake_nvml_state.init;
}

FAKE Return nvmlShutdown() {
  --fake_nvml_state.open_count;
  return kSuccess;
}

FAKE const char* nvmlErrorString(Return code) {
  if (code == kDriverNotLoaded) return "Driver Not Loaded";
  return code == kNotSupported ? "Not Supported" : "Unknown Error";
}

FAKE Return nvmlSystemGetDriverVersion(char* text, uint32_t length) {
  set_text(text, "580.65.06", length);
  return kSuccess;
}

FAKE Return nvmlDeviceGetCount_v2(uint32_t* count) {
  *count = fake_nvml_state.gpu_count;
  return fake_nvml_state.count;
}

FAKE Return nvmlDeviceGetHandleByIndex_v2(uint32_t index, Device* device) {
  *device = reinterpret_cast<Device>(uintptr_t{index} + 1);
  return fake_nvml_state.gpus[index].broken;
}

FAKE Return nvmlDeviceGetPciInfo_v3(Device device, PciInfo* pci) {
  set_pci(pci, gpu_of(device).bus);
  return kSuccess;
}

FAKE Return nvmlDeviceGetName(Device device, char* text, uint32_t length) {
  set_text(text, gpu_of(device).name, length);
  return kSuccess;
}

FAKE Return nvmlDeviceGetUUID(Device device, char* text, uint32_t length) {
  std::snprintf(text, length, "GPU-%zu", index_of(device));
  return kSuccess;
}

FAKE Return nvmlDeviceGetCudaComputeCapability(Device device, int* major, int* minor) {
  *major = gpu_of(device).major;
  *minor = gpu_of(device).minor;
  return kSuccess;
}

FAKE Return nvmlDeviceGetMigMode(Device device, uint32_t* current, uint32_t* pending) {
  *current = *pending = gpu_of(device).mig_count > 0 ? kMigEnabled : kMigDisabled;
  return kSuccess;
}

FAKE Return nvmlDeviceGetMaxMigDeviceCount(Device, uint32_t* count) {
  *count = 7;
  return kSuccess;
}

FAKE Return nvmlDeviceGetMigDeviceHandleByIndex(Device device, uint32_t index, Device*) {
  return index < gpu_of(device).mig_count ? kSuccess : kNotFound;
}

FAKE Return nvmlDeviceGetNvLinkState(Device device, uint32_t link, uint32_t* enabled) {
  if (link >= 36) return kInvalidArgument;
  const FakeLink* found = link_of(device, link);
  if (found == nullptr) return kNotSupported;
  *enabled = found->up ? 1 : 0;
  return kSuccess;
}

FAKE Return nvmlDeviceGetNvLinkRemotePciInfo_v2(Device device, uint32_t link, PciInfo* pci) {
  const FakeLink* found = link_of(device, link);
  if (found == nullptr || !found->up) return kNotSupported;
  set_pci(pci, found->remote_bus);
  return kSuccess;
}

FAKE Return nvmlDeviceGetP2PStatus(Device a, Device b, P2pCapability, P2pStatus* status) {
  *status = fake_nvml_state.p2p[index_of(a)][index_of(b)];
  return kSuccess;
}

#ifndef UNIRACK_FAKE_NVML_OLD

FAKE Return nvmlDeviceGetNvLinkRemoteDeviceType(Device device, uint32_t link,
                                                RemoteDevice* remote) {
  const FakeLink* found = link_of(device, link);
  if (found == nullptr || !found->up) return kNotSupported;
  *remote = found->remote;
  return kSuccess;
}

FAKE Return nvmlDeviceGetGpuFabricInfo(Device device, FabricInfo1* info) {
  const FakeGpu& gpu = gpu_of(device);
  if (gpu.fabric_version < 1) return kNotSupported;
  *info = {};
  std::memcpy(info->cluster_uuid, gpu.cluster_uuid, sizeof(gpu.cluster_uuid));
  info->status = gpu.fabric_status;
  info->clique_id = gpu.clique;
  info->state = gpu.fabric_state;
  return kSuccess;
}

FAKE Return nvmlDeviceGetGpuFabricInfoV(Device device, void* out) {
  const FakeGpu& gpu = gpu_of(device);
  uint32_t version = 0;
  std::memcpy(&version, out, sizeof(version));
  if (version >> 24 > static_cast<uint32_t>(gpu.fabric_version)) return kArgumentVersionMismatch;
  FabricInfo3 info{};
  info.version = version;
  std::memcpy(info.cluster_uuid, gpu.cluster_uuid, sizeof(gpu.cluster_uuid));
  info.status = gpu.fabric_status;
  info.clique_id = gpu.clique;
  info.state = gpu.fabric_state;
  info.health_mask = gpu.health_mask;
  info.health_summary = gpu.health_summary;
  std::memcpy(out, &info, version & 0xffffff);
  return kSuccess;
}

FAKE Return nvmlDeviceGetGpuFabricInfo_v4(Device device, FabricInfo4* info) {
  const FakeGpu& gpu = gpu_of(device);
  if (gpu.fabric_version < 4) return kNotSupported;
  *info = {};
  std::memcpy(info->cluster_uuid, gpu.cluster_uuid, sizeof(gpu.cluster_uuid));
  info->status = gpu.fabric_status;
  // Multicast reaches less far than pointers do.
  info->cliques[0] = {static_cast<uint8_t>(CliqueType::multicast_pointer), gpu.clique + 100};
  info->cliques[1] = {static_cast<uint8_t>(CliqueType::unicast_pointer), gpu.clique};
  info->clique_count = 2;
  info->state = gpu.fabric_state;
  info->health_mask = gpu.health_mask;
  info->health_summary = gpu.health_summary;
  return kSuccess;
}

FAKE Return nvmlDeviceGetPlatformInfo(Device device, PlatformInfo* info) {
  const FakeGpu& gpu = gpu_of(device);
  if (gpu.chassis == nullptr) return kNotSupported;
  if (info->version != versioned(sizeof(*info), 2)) return kArgumentVersionMismatch;
  std::memset(info->chassis_serial, 0, sizeof(info->chassis_serial));
  std::memcpy(info->chassis_serial, gpu.chassis, strnlen(gpu.chassis, 16));
  info->slot = gpu.slot;
  info->tray = gpu.tray;
  info->host = 1;
  info->module = static_cast<uint8_t>(index_of(device) + 1);
  return kSuccess;
}

FAKE Return nvmlDeviceGetC2cModeInfoV(Device device, C2cMode* mode) {
  mode->enabled = gpu_of(device).c2c ? 1 : 0;
  return kSuccess;
}

#endif
