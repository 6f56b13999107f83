// A folder that looks like the /sys and /proc of a machine, written file by file, gone with its
// owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace unirack::testing {

struct FakePci {
  std::vector<std::string> path;  // bus ids from the root port down, the device last
  uint32_t class_code = 0;
  uint16_t vendor = 0;
  uint16_t device = 0;
  int numa = 0;
  std::string speed = "32.0 GT/s PCIe";
  std::string width = "16";
  std::string max_speed = "32.0 GT/s PCIe";
  std::string max_width = "16";
};

class FakeTree {
 public:
  FakeTree();
  FakeTree(const FakeTree&) = delete;
  FakeTree& operator=(const FakeTree&) = delete;
  ~FakeTree();

  const std::string& root() const { return root_; }
  void write(std::string_view path, std::string_view text);
  void link(std::string_view path, std::string_view target);

  void add_node(int index, std::string_view cpus, std::string_view distances);
  // The device, and links to it from /sys/bus/pci/devices.
  void add_pci(const FakePci& pci);
  // An RDMA device of one active port of a PCI device that was added.
  void add_rdma(const FakePci& pci, const std::string& name, std::string_view guid,
                std::string_view rate, std::string_view state = "4: ACTIVE",
                std::string_view layer = "InfiniBand", int port = 1);
  void add_interface(const FakePci& pci, const std::string& name, int megabits,
                     std::string_view state = "up");

 private:
  std::string root_;
};

}  // namespace unirack::testing
