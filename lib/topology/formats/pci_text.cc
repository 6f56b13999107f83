#include "lib/topology/formats/pci_text.h"

#include <fmt/format.h>

#include "lib/topology/formats/text_reader.h"
#include "lib/topology/rates.h"

namespace unirack {

std::optional<PciAddress> pci_address_from(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 2 && parts.size() != 3) return std::nullopt;
  const auto tail = split(parts.back(), '.');
  if (tail.size() != 2) return std::nullopt;
  const auto hexadecimal = [](std::string_view digits, size_t length_max) {
    if (digits.size() > length_max || digits.starts_with("0x")) return std::optional<uint32_t>();
    return number_from<uint32_t>(digits, 16);
  };
  const auto domain = parts.size() == 3 ? hexadecimal(parts.front(), 8) : uint32_t{0};
  const auto bus = hexadecimal(parts[parts.size() - 2], 2);
  const auto device = hexadecimal(tail.front(), 2);
  const auto function = hexadecimal(tail.back(), 1);
  if (!domain || !bus || !device || !function) return std::nullopt;
  return PciAddress{*domain, *bus, *device, *function};
}

std::string to_text(const PciAddress& address) {
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", address.domain, address.bus, address.device,
                     address.function);
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return result;
}

std::optional<double> pci_speed_from(std::string_view text) {
  text = trimmed(text);
  if (text.empty() || text.starts_with("Unknown") || text.starts_with("unknown")) return 0;
  const size_t unit = text.find("GT/s");
  if (unit == std::string_view::npos) return std::nullopt;
  const auto speed = real_from(trimmed(text.substr(0, unit)));
  if (!speed || *speed < 0 || *speed > 1024) return std::nullopt;
  return speed;
}

bool is_virtual_bridge(uint64_t bandwidth, uint64_t fastest_below) {
  return bandwidth == pcie_bandwidth(2.5, 1) && fastest_below > bandwidth;
}

}  // namespace unirack
