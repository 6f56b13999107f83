// Our declarations against NVIDIA's, where its header is installed.
#include <gtest/gtest.h>

#include "lib/cuda/nvml.h"

#if __has_include(<nvml.h>)
#include <nvml.h>
#endif

namespace unirack {
namespace {

#if __has_include(<nvml.h>)

static_assert(sizeof(nvml::PciInfo) == sizeof(nvmlPciInfo_t));
static_assert(offsetof(nvml::PciInfo, domain) == offsetof(nvmlPciInfo_t, domain));
static_assert(offsetof(nvml::PciInfo, bus_id) == offsetof(nvmlPciInfo_t, busId));
static_assert(nvml::kNotSupported == NVML_ERROR_NOT_SUPPORTED);
static_assert(nvml::kDriverNotLoaded == NVML_ERROR_DRIVER_NOT_LOADED);
static_assert(nvml::kFunctionNotFound == NVML_ERROR_FUNCTION_NOT_FOUND);
static_assert(nvml::kArgumentVersionMismatch == NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
static_assert(nvml::kNvLinkMax >= NVML_NVLINK_MAX_LINKS);
static_assert(static_cast<int>(nvml::RemoteDevice::nvswitch) == NVML_NVLINK_DEVICE_TYPE_SWITCH);
static_assert(static_cast<int>(nvml::P2pCapability::nvlink) == NVML_P2P_CAPS_INDEX_NVLINK);
static_assert(static_cast<int>(nvml::P2pStatus::not_supported) == NVML_P2P_STATUS_NOT_SUPPORTED);
static_assert(nvml::kMigEnabled == NVML_DEVICE_MIG_ENABLE);

#ifdef nvmlGpuFabricInfo_v2
static_assert(nvml::versioned(sizeof(nvml::FabricInfo2), 2) == nvmlGpuFabricInfo_v2);
static_assert(sizeof(nvml::FabricInfo1) == sizeof(nvmlGpuFabricInfo_t));
static_assert(offsetof(nvml::FabricInfo2, state) == offsetof(nvmlGpuFabricInfo_v2_t, state));
static_assert(offsetof(nvml::FabricInfo2, health_mask) ==
              offsetof(nvmlGpuFabricInfo_v2_t, healthMask));
#endif
#ifdef nvmlGpuFabricInfo_v3
static_assert(nvml::versioned(sizeof(nvml::FabricInfo3), 3) == nvmlGpuFabricInfo_v3);
static_assert(offsetof(nvml::FabricInfo3, health_summary) ==
              offsetof(nvmlGpuFabricInfo_v3_t, healthSummary));
#endif
#ifdef NVML_GPU_FABRIC_CLIQUE_MAX
static_assert(nvml::kCliquesMax == NVML_GPU_FABRIC_CLIQUE_MAX);
static_assert(sizeof(nvml::FabricInfo4) == sizeof(nvmlGpuFabricInfo_v4_t));
static_assert(offsetof(nvml::FabricInfo4, clique_count) ==
              offsetof(nvmlGpuFabricInfo_v4_t, numCliques));
static_assert(static_cast<int>(nvml::CliqueType::multicast_pointer) ==
              NVML_GPU_FABRIC_CLIQUE_TYPE_MULTICAST_POINTER);
#endif
#ifdef nvmlPlatformInfo_v2
static_assert(nvml::versioned(sizeof(nvml::PlatformInfo), 2) == nvmlPlatformInfo_v2);
static_assert(nvml::versioned(sizeof(nvml::PlatformInfo), 1) == nvmlPlatformInfo_v1);
static_assert(offsetof(nvml::PlatformInfo, tray) == offsetof(nvmlPlatformInfo_v2_t, trayIndex));
static_assert(offsetof(nvml::PlatformInfo, module) == offsetof(nvmlPlatformInfo_v2_t, moduleId));
#endif

TEST(NvmlHeader, AgreesWithOurDeclarations) { SUCCEED() << NVML_API_VERSION; }

#else

TEST(NvmlHeader, AgreesWithOurDeclarations) { GTEST_SKIP() << "nvml.h is not installed"; }

#endif

}  // namespace
}  // namespace unirack
