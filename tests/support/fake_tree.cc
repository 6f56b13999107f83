#include "tests/support/fake_tree.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace unirack::testing {
namespace {

namespace fs = std::filesystem;

// Below /sys.
std::string device_path(const FakePci& pci) {
  return fmt::format("devices/pci{}/{}", pci.path.front().substr(0, 7), fmt::join(pci.path, "/"));
}

}  // namespace

FakeTree::FakeTree() {
  std::string name = fs::temp_directory_path() / "unirack-tree-XXXXXX";
  root_ = mkdtemp(name.data()) == nullptr ? "" : name;
  EXPECT_FALSE(root_.empty());
  fs::create_directories(root_ + "/sys");
  fs::create_directories(root_ + "/proc");
}

FakeTree::~FakeTree() {
  if (!root_.empty()) fs::remove_all(root_);
}

void FakeTree::write(std::string_view path, std::string_view text) {
  const fs::path whole = root_ + std::string(path);
  fs::create_directories(whole.parent_path());
  std::ofstream(whole, std::ios::binary) << text;
}

void FakeTree::link(std::string_view path, std::string_view target) {
  const fs::path whole = root_ + std::string(path);
  fs::create_directories(whole.parent_path());
  fs::create_symlink(target, whole);
}

void FakeTree::add_node(int index, std::string_view cpus, std::string_view distances) {
  const std::string folder = fmt::format("/sys/devices/system/node/node{}", index);
  write(folder + "/cpulist", fmt::format("{}\n", cpus));
  write(folder + "/distance", fmt::format("{}\n", distances));
  write(folder + "/meminfo", fmt::format("Node {} MemTotal:       1024 kB\n", index));
}

void FakeTree::add_pci(const FakePci& pci) {
  const std::string path = device_path(pci);
  const std::string folder = "/sys/" + path;
  const auto put = [&](const char* name, const std::string& text) {
    write(fmt::format("{}/{}", folder, name), text + "\n");
  };
  put("class", fmt::format("{:#08x}", pci.class_code));
  put("vendor", fmt::format("{:#06x}", pci.vendor));
  put("device", fmt::format("{:#06x}", pci.device));
  put("numa_node", std::to_string(pci.numa));
  put("current_link_speed", pci.speed);
  put("current_link_width", pci.width);
  put("max_link_speed", pci.max_speed);
  put("max_link_width", pci.max_width);
  link("/sys/bus/pci/devices/" + pci.path.back(), "../../../" + path);
}

void FakeTree::add_rdma(const FakePci& pci, const std::string& name, std::string_view guid,
                        std::string_view rate, std::string_view state, std::string_view layer,
                        int port) {
  const std::string path = fmt::format("{}/infiniband/{}", device_path(pci), name);
  const std::string folder = "/sys/" + path;
  write(folder + "/node_guid", fmt::format("{}\n", guid));
  write(folder + "/sys_image_guid", fmt::format("{}\n", guid));
  write(folder + "/hca_type", "MT4129\n");
  const std::string ports = fmt::format("{}/ports/{}", folder, port);
  write(ports + "/rate", fmt::format("{}\n", rate));
  write(ports + "/state", fmt::format("{}\n", state));
  write(ports + "/link_layer", fmt::format("{}\n", layer));
  write(ports + "/lid", "0x12\n");
  if (!std::filesystem::exists(root_ + "/sys/class/infiniband/" + name)) {
    link("/sys/class/infiniband/" + name, "../../" + path);
  }
}

void FakeTree::add_interface(const FakePci& pci, const std::string& name, int megabits,
                             std::string_view state) {
  const std::string path = fmt::format("{}/net/{}", device_path(pci), name);
  write("/sys/" + path + "/operstate", fmt::format("{}\n", state));
  write("/sys/" + path + "/speed", fmt::format("{}\n", megabits));
  link("/sys/class/net/" + name, "../../" + path);
}

}  // namespace unirack::testing
