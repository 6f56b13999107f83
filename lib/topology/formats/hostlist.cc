#include "lib/topology/formats/hostlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "lib/topology/formats/names.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/graph.h"
#include "lib/topology/natural_order.h"

namespace unirack {

namespace {

Error bad(std::string_view text, std::string_view why) {
  return make_error(Code::invalid_argument, fmt::format("{} in {}", why, shown(text)));
}

Error too_many(std::string_view text) {
  return bad(text, fmt::format("expected at most {} names of {} MiB together", kHostlistNamesMax,
                               kHostlistBytesMax >> 20));
}

struct Range {
  uint64_t first = 0;
  uint64_t last = 0;
  size_t digits = 0;  // at least so many, with zeros in front
};

// "001-018" or "7"
Result<Range> parse_range(std::string_view text, std::string_view whole) {
  const size_t dash = text.find('-');
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = dash == std::string_view::npos ? first : text.substr(dash + 1);
  constexpr size_t kDigitsMax = 18;
  const auto from = number_from<uint64_t>(first);
  const auto to = number_from<uint64_t>(last);
  if (!from || !to || first.size() > kDigitsMax || last.size() > kDigitsMax) {
    return bad(whole,
               fmt::format("expected a number or a range as '01-18', found {}", shown(text)));
  }
  if (*to < *from) {
    return bad(whole,
               fmt::format("expected a range that ends after it begins, found {}", shown(text)));
  }
  return Range{*from, *to, first.size()};
}

// The names of one element of the list, which may hold several brackets.
class Expansion {
 public:
  Status add(std::string_view element, std::vector<std::string>& names) {
    element_ = element;
    std::vector<std::string> open = {""};
    while (!element.empty()) {
      const size_t bracket = std::min(element.find('['), element.size());
      for (std::string& each : open) each += element.substr(0, bracket);
      element.remove_prefix(bracket);
      if (element.empty()) break;
      const size_t close = element.find(']');
      if (close == std::string_view::npos) return bad(element_, "expected ']'");
      open = UNIRACK_TRY(multiply(open, element.substr(1, close - 1)));
      element.remove_prefix(close + 1);
    }
    for (std::string& each : open) {
      UNIRACK_TRY(count(each));
      names.push_back(std::move(each));
    }
    return ok_status();
  }

 private:
  Result<std::vector<std::string>> multiply(const std::vector<std::string>& open,
                                            std::string_view ranges) {
    std::vector<Range> parsed;
    size_t numbers = 0;
    for (const std::string_view each : split(ranges, ',')) {
      parsed.push_back(UNIRACK_TRY(parse_range(each, element_)));
      const uint64_t size = parsed.back().last - parsed.back().first + 1;
      if (size > kHostlistNamesMax || (numbers += size) * open.size() > kHostlistNamesMax) {
        return too_many(element_);
      }
    }
    std::vector<std::string> result;
    result.reserve(numbers * open.size());
    size_t bytes = 0;
    for (const std::string& prefix : open) {
      for (const Range& range : parsed) {
        for (uint64_t number = range.first; number <= range.last; ++number) {
          result.push_back(fmt::format("{}{:0{}}", prefix, number, range.digits));
          if ((bytes += result.back().size()) > kHostlistBytesMax) return too_many(element_);
        }
      }
    }
    return result;
  }

  Status count(const std::string& name) {
    if (name.empty() || name.find(']') != std::string::npos) {
      return bad(element_, fmt::format("expected a name, found {}", shown(name)));
    }
    if (name.size() > kGraphNameMax) {
      return bad(element_, fmt::format("expected names of at most {} bytes", kGraphNameMax));
    }
    bytes_ += name.size();
    if (++names_ > kHostlistNamesMax || bytes_ > kHostlistBytesMax) return too_many(element_);
    return ok_status();
  }

  std::string_view element_;
  size_t names_ = 0;
  size_t bytes_ = 0;
};

// Up to the next comma that is not in brackets.
std::string_view take_element(std::string_view& rest) {
  bool inside = false;
  size_t end = 0;
  for (; end < rest.size() && (inside || rest[end] != ','); ++end) {
    if (rest[end] == '[') inside = true;
    if (rest[end] == ']') inside = false;
  }
  const std::string_view element = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return element;
}

// A name around its last number.
struct Parts {
  std::string_view before;
  std::string_view digits;
  std::string_view after;
};

Parts parts_of(std::string_view name) {
  constexpr size_t kDigitsMax = 18;
  Parts parts;
  parts.before = name_stem(name);
  if (parts.before.size() == name.size()) return parts;
  const std::string_view rest = name.substr(parts.before.size());
  parts.digits = rest.substr(0, rest.find_first_not_of("0123456789"));
  parts.after = rest.substr(parts.digits.size());
  if (parts.digits.size() > kDigitsMax) return {name, {}, {}};
  return parts;
}

// Numbers of one pattern as ranges: "001-018,020".
std::string ranges_of(std::vector<uint64_t> numbers, size_t digits) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text += fmt::format("{}{:0{}}", text.empty() ? "" : ",", numbers[i], digits);
    if (end - i > 1) text += fmt::format("-{:0{}}", numbers[end - 1], digits);
    i = end;
  }
  return text;
}

}  // namespace

Result<std::vector<std::string>> expand_hostlist(std::string_view text) {
  std::vector<std::string> names;
  Expansion expansion;
  std::string_view rest = trimmed(text);
  if (rest.empty()) return bad(text, "expected a name");
  if (rest.ends_with(',')) return bad(text, "expected a name after ','");
  while (!rest.empty()) UNIRACK_TRY(expansion.add(trimmed(take_element(rest)), names));
  return names;
}

Result<std::string> compress_hostlist(std::span<const std::string> names) {
  // By what stands around the number, and its digits where it has zeros in front or as many as
  // those that have.
  std::map<std::pair<std::string_view, std::string_view>, std::map<size_t, std::vector<uint64_t>>>
      patterns;
  std::map<std::pair<std::string_view, std::string_view>, std::set<size_t>> padded;
  std::set<std::string_view> plain;
  for (const std::string& name : names) {
    if (name.find_first_of("[],") != std::string::npos) {
      return make_error(Code::invalid_argument,
                        fmt::format("cannot be written as a host list: {}", shown(name)));
    }
    const Parts parts = parts_of(name);
    if (parts.digits.size() > 1 && parts.digits.front() == '0') {
      padded[{parts.before, parts.after}].insert(parts.digits.size());
    }
  }
  for (const std::string& name : names) {
    const Parts parts = parts_of(name);
    const bool is_padded = padded[{parts.before, parts.after}].contains(parts.digits.size());
    if (parts.digits.empty()) {
      plain.insert(name);
      continue;
    }
    patterns[{parts.before, parts.after}][is_padded ? parts.digits.size() : 0].push_back(
        number_from<uint64_t>(parts.digits).value_or(0));
  }
  std::vector<std::string> texts(plain.begin(), plain.end());
  for (const auto& [around, by_digits] : patterns) {
    for (const auto& [digits, numbers] : by_digits) {
      std::string ranges = ranges_of(numbers, digits);
      if (ranges.find_first_of("-,") != std::string::npos) ranges = "[" + ranges + "]";
      texts.push_back(fmt::format("{}{}{}", around.first, ranges, around.second));
    }
  }
  std::sort(texts.begin(), texts.end(), natural_less);
  return fmt::format("{}", fmt::join(texts, ","));
}

}  // namespace unirack
