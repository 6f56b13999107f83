#include "lib/topology/rates.h"

#include <array>
#include <charconv>
#include <cmath>

namespace unirack {

namespace {

constexpr uint64_t kMega = 1'000'000;
constexpr uint64_t kGiga = 1'000'000'000;

struct LaneRate {
  std::string_view name;
  uint64_t bytes;  // of one lane, after encoding
};

// 8b/10b up to QDR, 64b/66b from FDR10 on.
constexpr std::array kLaneRates = {
    LaneRate{"SDR", 250 * kMega},
    LaneRate{"DDR", 500 * kMega},
    LaneRate{"QDR", 1000 * kMega},
    LaneRate{"FDR10", 1250 * kMega},
    LaneRate{"FDR", 14'062'500'000 / 8 * 64 / 66},
    LaneRate{"EDR", 3125 * kMega},
    LaneRate{"HDR", 6250 * kMega},
    LaneRate{"NDR", 12500 * kMega},
    LaneRate{"XDR", 25000 * kMega},
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Takes the number at the front of `text` off it.
template <class T>
std::optional<T> take_number(std::string_view& text) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

// "4xNDR", "4X NDR"
std::optional<uint64_t> lanes_bandwidth(std::string_view text) {
  const auto lanes = take_number<unsigned>(text);
  if (!lanes || text.empty() || (text.front() != 'x' && text.front() != 'X')) return std::nullopt;
  if (*lanes != 1 && *lanes != 2 && *lanes != 4 && *lanes != 8 && *lanes != 12) return std::nullopt;
  text = trimmed(text.substr(1));
  for (const LaneRate& rate : kLaneRates) {
    if (text != rate.name) continue;
    // Whole lanes are rounded together: 4 lanes of FDR are 6.818181818 GB/s.
    return rate.name == "FDR" ? *lanes * uint64_t{14'062'500'000} / 8 * 64 / 66
                              : *lanes * rate.bytes;
  }
  return std::nullopt;
}

}  // namespace

uint64_t pcie_bandwidth(double gigatransfers, unsigned lanes) {
  constexpr double kFastest = 1024;
  if (!(gigatransfers > 0) || gigatransfers > kFastest || lanes == 0 || lanes > 64) return 0;
  const auto bits = static_cast<uint64_t>(std::llround(gigatransfers * 1e9)) * lanes;
  if (gigatransfers < 6) return bits / 10;              // 8b/10b
  if (gigatransfers < 60) return bits / 8 * 128 / 130;  // 128b/130b
  return bits / 8 * 242 / 256;                          // of a flit of 256 bytes 242 are payload
}

std::optional<uint64_t> infiniband_bandwidth(std::string_view width_and_speed) {
  std::string_view text = trimmed(width_and_speed);
  // What stands in parentheses is more exact than the rounded rate before it.
  const size_t open = text.find('(');
  if (open != std::string_view::npos && text.back() == ')') {
    if (const auto found =
            lanes_bandwidth(trimmed(text.substr(open + 1, text.size() - open - 2)))) {
      return found;
    }
    text = trimmed(text.substr(0, open));
  }
  if (const auto found = lanes_bandwidth(text)) return found;
  const auto gigabits = take_number<double>(text);
  text = trimmed(text);
  if (!gigabits || !(*gigabits > 0) || *gigabits > 1e6) return std::nullopt;
  if (text != "Gb/sec" && text != "Gb/s" && text != "Gbps") return std::nullopt;
  return static_cast<uint64_t>(std::llround(*gigabits * 1e9 / 8));
}

uint64_t ethernet_bandwidth(int64_t megabits) {
  constexpr int64_t kFastest = 1'000'000'000;  // Mbit/s
  if (megabits <= 0 || megabits > kFastest) return 0;
  return static_cast<uint64_t>(megabits) * kMega / 8;
}

uint64_t nvlink_bandwidth(int compute_capability) {
  if (compute_capability < 60) return 0;
  if (compute_capability < 70) return 20 * kGiga;
  if (compute_capability == 86) return 14'062'500'000;
  return (compute_capability < 100 ? 25 : 50) * kGiga;
}

uint64_t xgmi_bandwidth(std::string_view architecture) {
  if (architecture.starts_with("gfx")) architecture.remove_prefix(3);
  if (architecture == "906" || architecture == "908") return 46 * kGiga;
  if (architecture == "90a" || architecture == "910") return 50 * kGiga;
  if (architecture.starts_with("94")) return 64 * kGiga;
  if (architecture.starts_with("95")) return 76'800'000'000;
  return 0;
}

uint64_t smp_bandwidth(std::string_view architecture, std::string_view vendor, int family,
                       int model) {
  if (architecture == "ppc64" || architecture == "ppc64le") return 32 * kGiga;
  if (architecture != "x86_64") return 0;
  if (vendor == "GenuineIntel") {
    if (family != 6) return 0;
    // Granite Rapids and Sierra Forest carry lower numbers than their elder, Emerald Rapids.
    if (model >= 0xcf || model == 0xad || model == 0xae || model == 0xaf) return 40 * kGiga;
    if (model >= 0x8f) return 22 * kGiga;
    return (model >= 0x55 ? 10 : 6) * kGiga;
  }
  if (vendor == "AuthenticAMD") {
    if (family == 26 || family == 0xbf) return 32 * kGiga;
    if (family == 25 || family == 0xaf) return 24 * kGiga;
    return 16 * kGiga;
  }
  if (vendor == "CentaurHauls" || trimmed(vendor) == "Shanghai") {
    return (family == 7 && model == 0x5b ? 9 : 6) * kGiga;
  }
  return 0;
}

}  // namespace unirack
