#include "lib/topology/generate/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

Error bad(std::string why) { return make_error(Code::invalid_argument, std::move(why)); }

std::string names_of(const FabricFamily& family) {
  std::string names;
  for (const FamilyParameter& each : family.parameters) {
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  }
  return names;
}

// A decimal number times 10^places, exactly.
Result<uint64_t> parse_decimal(std::string_view text, std::string_view what, int places) {
  const auto wrong = [&] {
    return bad(fmt::format("expected a number with at most {} decimals for {}, found '{}'", places,
                           what, text));
  };
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view decimals = text.substr(std::min(point + 1, text.size()));
  if (decimals.size() > static_cast<size_t>(places) || text.empty()) return wrong();
  std::string digits(text.substr(0, point));
  digits += decimals;
  digits.append(static_cast<size_t>(places) - decimals.size(), '0');
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return wrong();
  return value;
}

}  // namespace

Result<uint32_t> parse_count(std::string_view text, std::string_view what, uint32_t least,
                             uint32_t most) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return bad(fmt::format("expected {} to {} for {}, found '{}'", least, most, what, text));
  }
  return value;
}

Result<Parameters> Parameters::parse(const FabricFamily& family, std::string_view text) {
  Parameters parameters;
  for (const FamilyParameter& each : family.parameters) {
    parameters.values_[each.name] = each.fallback;
  }
  if (text.empty()) return parameters;
  for (const std::string_view part : split(text, ',')) {
    const size_t equals = part.find('=');
    std::string_view name = part.substr(0, equals);
    std::string_view value = part.substr(std::min(equals, part.size() - 1) + 1);
    if (equals == std::string_view::npos && !family.parameters.empty()) {
      name = family.parameters.front().name;
      value = part;
    }
    const auto found = parameters.values_.find(name);
    if (found == parameters.values_.end()) {
      return bad(fmt::format("{} has no parameter '{}': expected {}", family.name, name,
                             names_of(family)));
    }
    if (parameters.is_given(found->first)) {
      return bad(fmt::format("'{}' is given twice", found->first));
    }
    found->second = value;
    parameters.given_.push_back(found->first);
  }
  return parameters;
}

bool Parameters::is_given(std::string_view name) const {
  return std::find(given_.begin(), given_.end(), name) != given_.end();
}

Result<uint32_t> Parameters::count(std::string_view name, uint32_t least, uint32_t most) const {
  return parse_count(text(name), name, least, most);
}

Result<uint64_t> Parameters::bandwidth(std::string_view name) const {
  const uint64_t value = UNIRACK_TRY(parse_decimal(text(name), name, 9));
  constexpr uint64_t kMost = 1'000'000'000'000'000;
  if (value > kMost) return bad(fmt::format("{} is above {} GB/s", name, kMost / 1'000'000'000));
  return value;
}

Result<uint32_t> Parameters::thousandths(std::string_view name, uint32_t least,
                                         uint32_t most) const {
  const uint64_t value = UNIRACK_TRY(parse_decimal(text(name), name, 3));
  if (value < least || value > most) {
    return bad(fmt::format("expected {} to {} for {}, found '{}'", least / 1000.0, most / 1000.0,
                           name, text(name)));
  }
  return static_cast<uint32_t>(value);
}

Result<std::vector<uint32_t>> Parameters::counts(std::string_view name, char separator,
                                                 uint32_t least, uint32_t most) const {
  std::vector<uint32_t> values;
  for (const std::string_view part : split(text(name), separator)) {
    values.push_back(UNIRACK_TRY(parse_count(part, name, least, most)));
  }
  return values;
}

}  // namespace unirack
