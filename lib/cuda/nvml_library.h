// NVML, found and loaded at run time: nothing needs it to be there when a program starts.
//
// load() opens the library and initialises it; the destructor shuts it down and closes it. A
// function that the library is too old to have is null here; ask before calling, or use call().
// NVML itself may be called from any thread; an NvmlLibrary has one owner.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "lib/cuda/nvml.h"

namespace unirack {

inline constexpr const char* kNvmlLibraryName = "libnvidia-ml.so.1";

// One member a function of NVML; its name there stands beside it in nvml_library.cc.
struct NvmlFunctions {
  using Device = nvml::Device;
  using Return = nvml::Return;
  Return (*init)() = nullptr;
  Return (*shutdown)() = nullptr;
  const char* (*error_string)(Return) = nullptr;
  Return (*driver_version)(char* text, uint32_t length) = nullptr;
  Return (*device_count)(uint32_t*) = nullptr;
  Return (*device_by_index)(uint32_t, Device*) = nullptr;
  Return (*pci_info)(Device, nvml::PciInfo*) = nullptr;
  Return (*name)(Device, char* text, uint32_t length) = nullptr;
  Return (*uuid)(Device, char* text, uint32_t length) = nullptr;
  Return (*compute_capability)(Device, int* major, int* minor) = nullptr;
  Return (*mig_mode)(Device, uint32_t* current, uint32_t* pending) = nullptr;
  Return (*mig_count_max)(Device, uint32_t*) = nullptr;
  Return (*mig_by_index)(Device, uint32_t, Device*) = nullptr;
  Return (*nvlink_state)(Device, uint32_t link, uint32_t* enabled) = nullptr;
  Return (*nvlink_version)(Device, uint32_t link, uint32_t*) = nullptr;
  Return (*nvlink_remote_pci)(Device, uint32_t link, nvml::PciInfo*) = nullptr;
  Return (*nvlink_remote_type)(Device, uint32_t link, nvml::RemoteDevice*) = nullptr;
  Return (*p2p_status)(Device, Device, nvml::P2pCapability, nvml::P2pStatus*) = nullptr;
  Return (*fabric_info_1)(Device, nvml::FabricInfo1*) = nullptr;
  Return (*fabric_info_versioned)(Device, void*) = nullptr;
  Return (*fabric_info_4)(Device, nvml::FabricInfo4*) = nullptr;
  Return (*platform_info)(Device, nvml::PlatformInfo*) = nullptr;
  Return (*c2c_mode)(Device, nvml::C2cMode*) = nullptr;
};

class NvmlLibrary {
 public:
  // `path` empty: kNvmlLibraryName, wherever the loader finds it. `unavailable` if there is none or
  // its driver is not loaded; the text says which.
  static Result<NvmlLibrary> load(const std::string& path = {});

  NvmlLibrary(NvmlLibrary&& other) noexcept;
  NvmlLibrary& operator=(NvmlLibrary&& other) noexcept;
  ~NvmlLibrary();

  const NvmlFunctions& functions() const { return functions_; }
  // "not supported (3)", in the library's words.
  std::string describe(nvml::Return code) const;

 private:
  NvmlLibrary() = default;
  void close();

  void* handle_ = nullptr;
  bool initialised_ = false;
  NvmlFunctions functions_;
};

// kFunctionNotFound where the library has no such function.
template <class... Parameters, class... Arguments>
nvml::Return call(nvml::Return (*function)(Parameters...), Arguments... arguments) {
  return function == nullptr ? nvml::kFunctionNotFound : function(arguments...);
}

}  // namespace unirack
