// Reads what the kernel says of a machine in /sys and /proc, below a root that may be an archived
// tree of another machine. Bounded: at most 64 KiB of a file, at most 100,000 entries of a folder.
//
// Owned and used by one thread at a time: it remembers what it was not allowed to read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/bytes.h"

namespace unirack {

class Sysfs {
 public:
  // `root` holds sys/ and proc/; "/" is this machine.
  explicit Sysfs(std::string root);

  // Paths begin with /sys or /proc. Text is without white space at its end; nothing: it cannot be
  // read.
  std::optional<std::string> read(std::string_view path);
  // Decimal, or hexadecimal with 0x.
  std::optional<int64_t> read_integer(std::string_view path);
  // As they are, up to `bytes_max`; empty: it cannot be read.
  std::vector<std::byte> read_bytes(std::string_view path, size_t bytes_max);
  // The text of a symbolic link.
  std::optional<std::string> read_link(std::string_view path) const;
  bool exists(std::string_view path) const;
  // Names in a folder, sorted; empty if there is none.
  std::vector<std::string> list(std::string_view path) const;

  const std::string& root() const { return root_; }
  bool is_this_machine() const { return root_ == "/"; }
  // What exists and may not be read.
  const std::vector<std::string>& denied() const { return denied_; }

 private:
  std::string path_of(std::string_view path) const;

  std::string root_;
  std::vector<std::string> denied_;
};

// "0000:1b:00.0"; the domain may have more than four digits.
bool is_pci_bus_id(std::string_view text);
// The PCI devices that a path leads through, from the root down, the device itself last.
std::vector<std::string> pci_bus_ids_in(std::string_view path);
// How many CPUs "0-27,56-83" names; 0 if that is not what it is.
uint32_t count_cpu_list(std::string_view text);
std::optional<int64_t> parse_integer(std::string_view text);

}  // namespace unirack
