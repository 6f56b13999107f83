// What the kernel shows of a PCI device: its configuration space, and the short texts beside it.
#include <cstdint>

#include "lib/topology/discover/pci_config.h"
#include "lib/topology/discover/sysfs.h"

namespace unirack {
namespace {

void expect(bool truth) {
  if (!truth) __builtin_trap();
}

void read(BytesView bytes) {
  if (const auto link = pcie_link_in(bytes)) {
    expect(link->trained.gigatransfers <= 64 && link->trained.lanes <= 63);
  }
  // An answer needs the bytes that it is made of.
  if (acs_control_in(bytes)) expect(bytes.size() >= 0x108);

  const std::string_view text = text_of(bytes);
  for (const std::string& bus_id : pci_bus_ids_in(text)) expect(is_pci_bus_id(bus_id));
  expect(count_cpu_list(text) <= 1'000'000);
  (void)parse_integer(text);
}

}  // namespace
}  // namespace unirack

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  unirack::read(std::as_bytes(std::span(data, size)));
  return 0;
}
