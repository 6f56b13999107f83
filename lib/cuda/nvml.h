// The few declarations of NVIDIA's management library (NVML) that are used here, written down
// because the header belongs to a toolkit that need not be installed. Layouts and numbers are those
// of nvml.h of CUDA 13; tests/lib/cuda/nvml_header_test.cc compares them where that header exists.
// Plain data; functions are looked up at run time by nvml_library.h.
#pragma once

#include <cstdint>

namespace unirack::nvml {

using Return = int32_t;
inline constexpr Return kSuccess = 0;
inline constexpr Return kUninitialized = 1;
inline constexpr Return kInvalidArgument = 2;
inline constexpr Return kNotSupported = 3;
inline constexpr Return kNoPermission = 4;
inline constexpr Return kNotFound = 6;
inline constexpr Return kDriverNotLoaded = 9;
inline constexpr Return kFunctionNotFound = 13;  // also ours, for what an old library lacks
inline constexpr Return kArgumentVersionMismatch = 25;

using Device = struct DeviceOpaque*;

inline constexpr uint32_t kNvLinkMax = 72;  // 18 up to Blackwell, 36 and more announced
inline constexpr int kUuidBytes = 16;

struct PciInfo {
  char bus_id_legacy[16];
  uint32_t domain;
  uint32_t bus;
  uint32_t device;
  uint32_t pci_device_id;     // device << 16 | vendor
  uint32_t pci_subsystem_id;  // the same of the board
  char bus_id[32];            // "00000000:1B:00.0"
};
static_assert(sizeof(PciInfo) == 68);

enum class RemoteDevice : uint32_t { gpu = 0, ibm_npu = 1, nvswitch = 2, unknown = 255 };

enum class P2pCapability : uint32_t { read = 0, write = 1, nvlink = 2 };
enum class P2pStatus : uint32_t {
  ok = 0,
  chipset_not_supported = 1,
  gpu_not_supported = 2,
  io_hub_not_supported = 3,
  disabled_by_registry = 4,
  not_supported = 5,
  unknown = 6,
};

// sizeof and version of a structure in one number, as NVML wants it in the first member.
constexpr uint32_t versioned(uint32_t size, uint32_t version) { return size | version << 24; }

enum class FabricState : uint8_t {
  not_supported = 0,
  not_started = 1,
  in_progress = 2,
  completed = 3,
};

struct FabricInfo1 {
  uint8_t cluster_uuid[kUuidBytes];
  Return status;
  uint32_t clique_id;
  uint8_t state;
};
static_assert(sizeof(FabricInfo1) == 28);

struct FabricInfo2 {
  uint32_t version;
  uint8_t cluster_uuid[kUuidBytes];
  Return status;
  uint32_t clique_id;
  uint8_t state;
  uint32_t health_mask;
};
static_assert(versioned(sizeof(FabricInfo2), 2) == 0x02000024);

struct FabricInfo3 {
  uint32_t version;
  uint8_t cluster_uuid[kUuidBytes];
  Return status;
  uint32_t clique_id;
  uint8_t state;
  uint32_t health_mask;
  uint8_t health_summary;
};
static_assert(versioned(sizeof(FabricInfo3), 3) == 0x03000028);

// What members of a clique may do with each other. Of version 4, which has a function of its own
// and carries no version number.
enum class CliqueType : uint8_t { unicast_pointer = 0, multicast_pointer = 1 };
inline constexpr uint32_t kCliquesMax = 64;

struct Clique {
  uint8_t type;
  uint32_t id;
};

struct FabricInfo4 {
  uint8_t cluster_uuid[kUuidBytes];
  Return status;
  Clique cliques[kCliquesMax];
  uint32_t clique_count;
  uint8_t state;
  uint32_t health_mask;
  uint8_t health_summary;
};
static_assert(sizeof(FabricInfo4) == 548);

// Versions 1 and 2 have one layout; version 1 calls the members after the rack's GUID and slots.
struct PlatformInfo {
  uint32_t version;
  uint8_t ib_guid[16];
  uint8_t chassis_serial[16];
  uint8_t slot;
  uint8_t tray;
  uint8_t host;
  uint8_t peer_type;
  uint8_t module;
};
static_assert(sizeof(PlatformInfo) == 44);

struct C2cMode {
  uint32_t enabled;
};

inline constexpr uint32_t kMigDisabled = 0;
inline constexpr uint32_t kMigEnabled = 1;

}  // namespace unirack::nvml
