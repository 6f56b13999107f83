// What the NVML that tests load says: filled by the test, read by the shared object.
#pragma once

#include <cstdint>

#include "lib/cuda/nvml.h"

namespace unirack::testing {

struct FakeLink {
  bool exists = false;
  bool up = true;
  nvml::RemoteDevice remote = nvml::RemoteDevice::unknown;
  uint32_t remote_bus = 0;
};

struct FakeGpu {
  uint32_t bus = 0;
  const char* name = "";
  int major = 9;
  int minor = 0;
  uint32_t mig_count = 0;  // not 0: MIG is on
  FakeLink links[36];
  int fabric_version = 0;  // of the newest structure that is known; 0: none
  uint8_t cluster_uuid[16] = {};
  nvml::Return fabric_status = nvml::kSuccess;
  uint32_t clique = 0;
  uint8_t fabric_state = 0;
  uint32_t health_mask = 0;
  uint8_t health_summary = 0;
  const char* chassis = nullptr;  // null: the platform is not known
  uint8_t slot = 0;
  uint8_t tray = 0;
  bool c2c = false;
  nvml::Return broken = nvml::kSuccess;  // what asking for it answers
};

struct FakeNvml {
  nvml::Return init = nvml::kSuccess;
  nvml::Return count = nvml::kSuccess;
  uint32_t gpu_count = 0;
  FakeGpu gpus[16];
  nvml::P2pStatus p2p[16][16] = {};
  int open_count = 0;  // init minus shutdown
};

}  // namespace unirack::testing
