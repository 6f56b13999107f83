#include "lib/topology/render/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace unirack {

namespace {

constexpr std::array<std::string_view, kLinkKindCount> kLinkNames = {
    "NVLink", "xGMI", "C2C", "PCIe", "SMP", "InfiniBand", "Ethernet", "shared memory"};
constexpr std::array<std::pair<std::string_view, std::string_view>, kNodeKindCount> kNodeNames = {{
    {"GPU", "GPUs"},
    {"rank", "ranks"},
    {"NUMA node", "NUMA nodes"},
    {"PCIe bridge", "PCIe bridges"},
    {"NVSwitch", "NVSwitches"},
    {"NIC", "NICs"},
    {"leaf", "leaves"},
    {"spine", "spines"},
    {"switch", "switches"},
}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Without zeros at the end of the decimals.
std::string trimmed(double value) {
  std::string text = fmt::format("{:.{}f}", value, value < 10 ? 2 : value < 100 ? 1 : 0);
  if (text.find('.') == std::string::npos) return text;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

// A name as words and numbers in turn: "a08-c1" is {"a", "08", "-c", "1"}.
std::vector<std::string_view> parts_of(std::string_view name) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  for (size_t i = 1; i <= name.size(); ++i) {
    if (i < name.size() && is_digit(name[i]) == is_digit(name[i - 1])) continue;
    parts.push_back(name.substr(begin, i - begin));
    begin = i;
  }
  return parts;
}

// Numbers in names are short; longer ones never fold.
constexpr size_t kNumberDigitsMax = 9;

uint64_t number_of(std::string_view digits) {
  uint64_t value = 0;
  for (const char c : digits) value = value * 10 + static_cast<uint64_t>(c - '0');
  return value;
}

// "0-3,5,7-9" of ascending numbers, as they are written.
std::string ranges(std::span<const std::string_view> digits) {
  std::string text;
  for (size_t i = 0; i < digits.size();) {
    size_t last = i;
    while (last + 1 < digits.size() && number_of(digits[last + 1]) == number_of(digits[last]) + 1) {
      ++last;
    }
    if (!text.empty()) text += ',';
    text += digits[i];
    if (last > i) text += (last == i + 1 ? "," : "-") + std::string(digits[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace

std::string speed_text(uint64_t bytes_per_s) {
  if (bytes_per_s == 0) return "?";
  const auto value = static_cast<double>(bytes_per_s);
  if (value >= 1e13) return trimmed(value / 1e12) + " TB/s";
  if (value >= 1e9) return trimmed(value / 1e9) + " GB/s";
  if (value >= 1e6) return trimmed(value / 1e6) + " MB/s";
  return fmt::format("{} B/s", bytes_per_s);
}

std::string link_text(const Link& link) {
  const std::string one = speed_text(link.bandwidth);
  return link.count == 1 ? one : fmt::format("{} x {}", link.count, one);
}

std::string_view display_name(LinkKind kind) { return kLinkNames[static_cast<size_t>(kind)]; }

std::string_view display_name(NodeKind kind, size_t count) {
  const auto& [one, many] = kNodeNames[static_cast<size_t>(kind)];
  return count == 1 ? one : many;
}

std::string grouped(uint64_t value) {
  std::string text = std::to_string(value);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string count_text(size_t count, std::string_view one, std::string_view many) {
  return grouped(count) + " " + std::string(count == 1 ? one : many);
}

std::string_view short_name(std::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

std::string fold_names(std::span<const std::string> names) {
  if (names.empty()) return {};
  if (names.size() == 1) return names[0];
  const auto first = parts_of(names[0]);
  size_t differing = first.size();
  std::vector<std::string_view> digits;
  for (const std::string& name : names) {
    const auto parts = parts_of(name);
    if (parts.size() != first.size()) return {};
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i] == first[i]) continue;
      if (differing != first.size() && differing != i) return {};
      differing = i;
    }
  }
  if (differing == first.size() || !is_digit(first[differing][0])) return {};
  for (const std::string& name : names) {
    const std::string_view part = parts_of(name)[differing];
    if (!is_digit(part[0]) || part.size() > kNumberDigitsMax) return {};
    digits.push_back(part);
  }
  const auto before = std::string_view(names[0]).substr(
      0, static_cast<size_t>(first[differing].data() - names[0].data()));
  const auto after = std::string_view(names[0]).substr(before.size() + first[differing].size());
  return std::string(before) + ranges(digits) + std::string(after);
}

size_t common_prefix(std::span<const std::string_view> names) {
  if (names.size() < 2) return 0;
  size_t shared = names[0].size();
  for (const std::string_view name : names) {
    const auto differ = std::mismatch(names[0].begin(), names[0].end(), name.begin(), name.end());
    shared = std::min(shared, static_cast<size_t>(differ.first - names[0].begin()));
  }
  // Back to where a word or a number begins.
  const std::string_view name = names[0];
  while (shared > 0 && shared < name.size() && is_digit(name[shared - 1])) --shared;
  while (shared > 0 && std::isalpha(static_cast<unsigned char>(name[shared - 1])) &&
         !(shared < name.size() && is_digit(name[shared]))) {
    --shared;
  }
  return shared;
}

std::vector<std::string_view> distinct_tails(std::span<const std::string_view> names) {
  constexpr size_t kWordsMax = 6;
  // Where words and numbers begin, the last first.
  const auto tail = [](std::string_view name, size_t words) {
    size_t begin = name.size();
    while (begin > 0) {
      --begin;
      const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
      const bool begins =
          is_word(name[begin]) && (begin == 0 || !is_word(name[begin - 1]) ||
                                   is_digit(name[begin]) != is_digit(name[begin - 1]));
      if (begins && --words == 0) return name.substr(begin);
    }
    return name;
  };
  for (size_t words = 1; words <= kWordsMax; ++words) {
    std::vector<std::string_view> tails;
    for (const std::string_view name : names) tails.push_back(tail(name, words));
    auto sorted = tails;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end()) return tails;
  }
  return {names.begin(), names.end()};
}

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  return escaped;
}

size_t character_count(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string shortened(std::string_view text, size_t width) {
  const size_t count = character_count(text);
  if (count <= width) return std::string(text);
  if (width < 3) return std::string(text.substr(0, std::min(width, text.size())));
  const size_t front = width / 2, back = width - front - 1;
  std::string kept;
  size_t index = 0;
  for (const char c : text) {
    if (!is_continuation(c)) ++index;
    if (index == front + 1 && !is_continuation(c)) kept += "\u2026";
    if (index <= front || index > count - back) kept += c;
  }
  return kept;
}

}  // namespace unirack
