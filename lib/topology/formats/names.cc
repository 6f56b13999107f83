#include "lib/topology/formats/names.h"

#include <algorithm>

namespace unirack {

namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr size_t kWarningBytesMax = 1000;
constexpr std::string_view kMore = "; and more";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes the number at the front off, without its leading zeros.
std::string_view take_digits(std::string_view& text) {
  const size_t end = std::min(text.find_first_not_of(kDigits), text.size());
  std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

// Below, equal or above 0 as numbers and letters decide; zeros in front do not.
int compare_natural(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view left = take_digits(a);
      const std::string_view right = take_digits(b);
      if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
      if (const int order = left.compare(right); order != 0) return order;
      continue;
    }
    if (a.front() != b.front()) return a.front() < b.front() ? -1 : 1;
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.empty() ? (b.empty() ? 0 : -1) : 1;
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  const int order = compare_natural(a, b);
  return order != 0 ? order < 0 : a < b;
}

std::string name_shape(std::string_view name) {
  std::string shape;
  for (size_t i = 0; i < name.size(); ++i) {
    if (!is_digit(name[i])) {
      shape += name[i];
    } else if (i == 0 || !is_digit(name[i - 1])) {
      shape += '#';
    }
  }
  return shape;
}

std::string_view name_stem(std::string_view name) {
  const size_t last = name.find_last_of(kDigits);
  if (last == std::string_view::npos) return name;
  const size_t before = name.substr(0, last).find_last_not_of(kDigits);
  return name.substr(0, before == std::string_view::npos ? 0 : before + 1);
}

void add_warning(Node& node, std::string_view warning) {
  std::string text(node.attribute("warning"));
  if (text.ends_with(kMore)) return;
  if (text.size() + warning.size() > kWarningBytesMax) {
    text += text.empty() ? warning.substr(0, kWarningBytesMax) : kMore;
  } else {
    text += text.empty() ? "" : "; ";
    text += warning;
  }
  node.set_attribute("warning", std::move(text));
}

}  // namespace unirack
