#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "lib/cuda/nvml_library.h"
#include "lib/topology/discover/discover_parts.h"
#include "lib/topology/discover/nvml_fabric.h"

namespace unirack {
namespace {

constexpr uint32_t kGpusMax = 256;
constexpr std::array<const char*, 7> kPeerStatuses = {
    "ok",
    "the chipset does not support it",
    "the GPU does not support it",
    "they are behind different I/O hubs",
    "disabled in the driver's registry",
    "not supported",
    "unknown",
};

// Text that a library wrote into a buffer of ours, with or without a final zero.
template <size_t N>
std::string text_in(const char (&buffer)[N]) {
  return std::string(buffer, strnlen(buffer, N));
}

// "00000000:1B:00.0" as the kernel writes it: "0000:1b:00.0".
std::string kernel_bus_id(const nvml::PciInfo& pci) {
  const std::string text = text_in(pci.bus_id);
  const char function = text.size() >= 2 && text[text.size() - 2] == '.' ? text.back() : '0';
  return fmt::format("{:04x}:{:02x}:{:02x}.{}", pci.domain, pci.bus, pci.device, function);
}

using ReadText = nvml::Return (*)(nvml::Device, char*, uint32_t);

std::string read_text(ReadText function, nvml::Device device) {
  char buffer[96] = {};
  if (call(function, device, static_cast<char*>(buffer), uint32_t{sizeof(buffer)}) !=
      nvml::kSuccess) {
    return {};
  }
  return text_in(buffer);
}

std::string printable(const uint8_t* bytes, size_t size) {
  std::string text;
  for (size_t i = 0; i < size && bytes[i] > ' ' && bytes[i] < 0x7f; ++i) {
    text += static_cast<char>(bytes[i]);
  }
  return text;
}

class Session {
 public:
  Session(NvmlLibrary library, MachineFacts& facts)
      : library_(std::move(library)), functions_(library_.functions()), facts_(facts) {}

  void run() {
    char version[80] = {};
    if (call(functions_.driver_version, static_cast<char*>(version), uint32_t{sizeof(version)}) ==
        nvml::kSuccess) {
      facts_.driver_version = text_in(version);
    }
    uint32_t count = 0;
    const nvml::Return code = functions_.device_count(&count);
    if (code != nvml::kSuccess) return note("NVML does not list GPUs", code);
    facts_.has_nvml = true;
    for (uint32_t i = 0; i < std::min(count, kGpusMax); ++i) read_gpu(i);
    read_peers();
  }

 private:
  void note(std::string what, nvml::Return code) {
    facts_.notes.push_back(fmt::format("{}: {}", what, library_.describe(code)));
  }

  void read_gpu(uint32_t index) {
    nvml::Device device = nullptr;
    nvml::Return code = functions_.device_by_index(index, &device);
    nvml::PciInfo pci{};
    if (code == nvml::kSuccess) code = functions_.pci_info(device, &pci);
    if (code != nvml::kSuccess) {
      return note(fmt::format("GPU {} cannot be asked and is left out", index), code);
    }
    GpuFacts gpu;
    gpu.index = index;
    gpu.bus_id = kernel_bus_id(pci);
    gpu.model = read_text(functions_.name, device);
    gpu.uuid = read_text(functions_.uuid, device);
    int major = 0;
    int minor = 0;
    if (call(functions_.compute_capability, device, &major, &minor) == nvml::kSuccess) {
      gpu.compute_capability = major * 10 + minor;
    }
    read_mig(device, gpu);
    read_nvlinks(device, gpu);
    gpu.fabric = read_fabric(library_, device);
    read_platform(device, gpu);
    nvml::C2cMode c2c{};
    gpu.c2c = call(functions_.c2c_mode, device, &c2c) == nvml::kSuccess && c2c.enabled != 0;
    facts_.gpus.push_back(std::move(gpu));
    devices_.push_back(device);
  }

  void read_mig(nvml::Device device, GpuFacts& gpu) {
    uint32_t current = nvml::kMigDisabled;
    uint32_t pending = nvml::kMigDisabled;
    if (call(functions_.mig_mode, device, &current, &pending) != nvml::kSuccess) return;
    gpu.mig = current == nvml::kMigEnabled;
    uint32_t most = 0;
    if (!gpu.mig || call(functions_.mig_count_max, device, &most) != nvml::kSuccess) return;
    for (uint32_t i = 0; i < std::min(most, 64u); ++i) {
      nvml::Device instance = nullptr;
      if (call(functions_.mig_by_index, device, i, &instance) == nvml::kSuccess) ++gpu.mig_count;
    }
  }

  // Slots without a link answer with an error; a link that is down is a slot that answers.
  void read_nvlinks(nvml::Device device, GpuFacts& gpu) {
    for (uint32_t link = 0; link < nvml::kNvLinkMax; ++link) {
      uint32_t enabled = 0;
      const nvml::Return code = call(functions_.nvlink_state, device, link, &enabled);
      if (code == nvml::kInvalidArgument || code == nvml::kFunctionNotFound) break;
      if (code != nvml::kSuccess) continue;
      NvlinkFacts facts;
      facts.up = enabled != 0;
      nvml::RemoteDevice remote = nvml::RemoteDevice::unknown;
      if (call(functions_.nvlink_remote_type, device, link, &remote) == nvml::kSuccess) {
        facts.remote = remote;
      }
      nvml::PciInfo pci{};
      // All switches of a domain are one node, so which of them it is does not matter.
      if (facts.remote != nvml::RemoteDevice::nvswitch &&
          call(functions_.nvlink_remote_pci, device, link, &pci) == nvml::kSuccess) {
        facts.bus_id = kernel_bus_id(pci);
      }
      add_link(gpu, facts);
    }
  }

  static void add_link(GpuFacts& gpu, const NvlinkFacts& link) {
    for (NvlinkFacts& other : gpu.nvlinks) {
      if (other.remote == link.remote && other.bus_id == link.bus_id && other.up == link.up) {
        ++other.count;
        return;
      }
    }
    gpu.nvlinks.push_back(link);
  }

  void read_platform(nvml::Device device, GpuFacts& gpu) {
    nvml::PlatformInfo info{};
    nvml::Return code = nvml::kFunctionNotFound;
    for (const uint32_t version : {2u, 1u}) {
      info.version = nvml::versioned(sizeof(info), version);
      code = call(functions_.platform_info, device, &info);
      if (code == nvml::kSuccess) break;
    }
    if (code != nvml::kSuccess) return;
    gpu.rack = printable(info.chassis_serial, sizeof(info.chassis_serial));
    if (gpu.rack.empty()) return;
    gpu.place = {{"slot", std::to_string(info.slot)},
                 {"tray", std::to_string(info.tray)},
                 {"host_in_tray", std::to_string(info.host)},
                 {"module", std::to_string(info.module)}};
  }

  // By load and store over whatever joins them.
  void read_peers() {
    for (size_t a = 0; a < devices_.size(); ++a) {
      for (size_t b = 0; b < devices_.size(); ++b) {
        nvml::P2pStatus status = nvml::P2pStatus::ok;
        if (a == b || call(functions_.p2p_status, devices_[a], devices_[b],
                           nvml::P2pCapability::read, &status) != nvml::kSuccess) {
          continue;
        }
        const auto number = static_cast<size_t>(status);
        if (status == nvml::P2pStatus::ok) continue;
        facts_.gpus[a].blocked_peers.emplace_back(
            facts_.gpus[b].index, kPeerStatuses[std::min(number, kPeerStatuses.size() - 1)]);
      }
    }
  }

  NvmlLibrary library_;
  const NvmlFunctions functions_;
  MachineFacts& facts_;
  std::vector<nvml::Device> devices_;
};

}  // namespace

void read_nvml(const std::string& library, MachineFacts& facts) {
  auto loaded = NvmlLibrary::load(library);
  if (!loaded) {
    facts.notes.push_back(loaded.error().detail);
    return;
  }
  Session(std::move(loaded).value(), facts).run();
}

}  // namespace unirack
