#include "lib/cuda/nvml_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <utility>

namespace unirack {
namespace {

template <class Function>
void find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
}

NvmlFunctions find_functions(void* handle) {
  NvmlFunctions found;
  find(handle, "nvmlInit_v2", found.init);
  find(handle, "nvmlShutdown", found.shutdown);
  find(handle, "nvmlErrorString", found.error_string);
  find(handle, "nvmlSystemGetDriverVersion", found.driver_version);
  find(handle, "nvmlDeviceGetCount_v2", found.device_count);
  find(handle, "nvmlDeviceGetHandleByIndex_v2", found.device_by_index);
  find(handle, "nvmlDeviceGetPciInfo_v3", found.pci_info);
  find(handle, "nvmlDeviceGetName", found.name);
  find(handle, "nvmlDeviceGetUUID", found.uuid);
  find(handle, "nvmlDeviceGetCudaComputeCapability", found.compute_capability);
  find(handle, "nvmlDeviceGetMigMode", found.mig_mode);
  find(handle, "nvmlDeviceGetMaxMigDeviceCount", found.mig_count_max);
  find(handle, "nvmlDeviceGetMigDeviceHandleByIndex", found.mig_by_index);
  find(handle, "nvmlDeviceGetNvLinkState", found.nvlink_state);
  find(handle, "nvmlDeviceGetNvLinkVersion", found.nvlink_version);
  find(handle, "nvmlDeviceGetNvLinkRemotePciInfo_v2", found.nvlink_remote_pci);
  find(handle, "nvmlDeviceGetNvLinkRemoteDeviceType", found.nvlink_remote_type);
  find(handle, "nvmlDeviceGetP2PStatus", found.p2p_status);
  find(handle, "nvmlDeviceGetGpuFabricInfo", found.fabric_info_1);
  find(handle, "nvmlDeviceGetGpuFabricInfoV", found.fabric_info_versioned);
  find(handle, "nvmlDeviceGetGpuFabricInfo_v4", found.fabric_info_4);
  find(handle, "nvmlDeviceGetPlatformInfo", found.platform_info);
  find(handle, "nvmlDeviceGetC2cModeInfoV", found.c2c_mode);
  return found;
}

}  // namespace

Result<NvmlLibrary> NvmlLibrary::load(const std::string& path) {
  NvmlLibrary library;
  library.handle_ = dlopen(path.empty() ? kNvmlLibraryName : path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library.handle_ == nullptr) {
    const char* why = dlerror();
    return make_error(Code::unavailable, fmt::format("NVML is not there: {}",
                                                     why == nullptr ? "no reason given" : why));
  }
  library.functions_ = find_functions(library.handle_);
  const NvmlFunctions& found = library.functions_;
  if (found.init == nullptr || found.shutdown == nullptr || found.device_count == nullptr ||
      found.device_by_index == nullptr || found.pci_info == nullptr) {
    return make_error(Code::unavailable, "NVML lacks even the functions that list devices");
  }
  const nvml::Return code = found.init();
  if (code != nvml::kSuccess) {
    return make_error(Code::unavailable,
                      fmt::format("NVML does not start: {}", library.describe(code)));
  }
  library.initialised_ = true;
  return library;
}

NvmlLibrary::NvmlLibrary(NvmlLibrary&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      initialised_(std::exchange(other.initialised_, false)),
      functions_(std::exchange(other.functions_, {})) {}

NvmlLibrary& NvmlLibrary::operator=(NvmlLibrary&& other) noexcept {
  if (this != &other) {
    close();
    handle_ = std::exchange(other.handle_, nullptr);
    initialised_ = std::exchange(other.initialised_, false);
    functions_ = std::exchange(other.functions_, {});
  }
  return *this;
}

NvmlLibrary::~NvmlLibrary() { close(); }

void NvmlLibrary::close() {
  if (initialised_) functions_.shutdown();
  if (handle_ != nullptr) dlclose(handle_);
  handle_ = nullptr;
  initialised_ = false;
}

std::string NvmlLibrary::describe(nvml::Return code) const {
  const char* text = functions_.error_string == nullptr ? nullptr : functions_.error_string(code);
  return fmt::format("{} ({})", text == nullptr ? "error" : text, code);
}

}  // namespace unirack
