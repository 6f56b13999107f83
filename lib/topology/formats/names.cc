#include "lib/topology/formats/names.h"

namespace unirack {

namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr size_t kWarningBytesMax = 1000;
constexpr std::string_view kMore = "; and more";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

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
