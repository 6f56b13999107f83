#include "collectives/calibrate/costs_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <vector>

#include "lib/base/unique_fd.h"

namespace unirack {

namespace {

constexpr std::string_view kTitle = "unirack costs 1";
constexpr size_t kShownBytes = 60;

// Where a field of a line lies in a Costs: a number or a flag.
struct Field {
  std::string_view name;
  uint64_t most = 0;
  uint64_t* number = nullptr;
  bool* flag = nullptr;

  uint64_t get() const { return flag != nullptr ? uint64_t{*flag} : std::min(*number, most); }
  void set(uint64_t value) const {
    if (flag != nullptr) {
      *flag = value != 0;
    } else {
      *number = value;
    }
  }
};

struct CostLine {
  std::string key;  // "copy", "link nvlink"
  std::vector<Field> fields;
};

// The one table that reading and writing share.
std::vector<CostLine> lines_of(Costs& costs) {
  std::vector<CostLine> lines;
  for (int i = 0; i < kLinkKindCount; ++i) {
    const auto kind = static_cast<LinkKind>(i);
    LinkCosts& link = costs.of(kind);
    lines.push_back({"link " + std::string(to_text(kind)),
                     {{"latency_ps", kCostTimeMaxPs, &link.latency_ps},
                      {"gap_ps", kCostTimeMaxPs, &link.gap_ps},
                      {"bandwidth", kCostBandwidthMax, &link.bandwidth},
                      {"holds_lane", 1, nullptr, &link.holds_lane},
                      {"is_measured", 1, nullptr, &link.is_measured}}});
  }
  lines.push_back({"copy", {{"bandwidth", kCostBandwidthMax, &costs.copy_bandwidth}}});
  for (int i = 0; i < kDataTypeCount; ++i) {
    const std::string name(type_name(static_cast<DataType>(i)));
    uint64_t& bandwidth = costs.reduce_bandwidth[static_cast<size_t>(i)];
    lines.push_back({"reduce " + name, {{"bandwidth", kCostBandwidthMax, &bandwidth}}});
  }
  lines.push_back(
      {"executor",
       {{"step_ps", kCostTimeMaxPs, &costs.step_ps}, {"call_ps", kCostTimeMaxPs, &costs.call_ps}}});
  return lines;
}

// What is found, as errors show it: no more than fits, nothing that a terminal would obey.
std::string shown(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, kShownBytes)) out += c >= ' ' && c < 0x7f ? c : '?';
  return out + (text.size() > kShownBytes ? "...'" : "'");
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty()) return words;
    const size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

class Parser {
 public:
  explicit Parser(const Costs& base) : costs_(base) {}

  Result<Costs> parse(std::string_view text) {
    if (text.size() > kCostsFileMax) {
      return make_error(Code::invalid_argument, "expected at most 16 KiB, found more");
    }
    lines_ = lines_of(costs_);
    seen_.assign(lines_.size(), 0);
    bool has_title = false;
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      ++number_;
      const auto words = words_of(line.substr(0, line.find('#')));
      if (words.empty()) continue;
      if (has_title) {
        UNIRACK_TRY(take_line(words));
      } else if (fmt::format("{}", fmt::join(words, " ")) != kTitle) {
        return expected(fmt::format("'{}'", kTitle), line);
      }
      has_title = true;
    }
    if (!has_title) return expected(fmt::format("'{}'", kTitle), "");
    return costs_;
  }

 private:
  Error expected(std::string_view what, std::string_view found, std::string_view field = "") const {
    return make_error(
        Code::invalid_argument,
        fmt::format("line {}{}{}: expected {}, found {}", std::max<size_t>(number_, 1),
                    field.empty() ? "" : ", ", field, what, shown(found)));
  }

  Status take_line(const std::vector<std::string_view>& words) {
    const size_t named = words[0] == "link" || words[0] == "reduce" ? 2 : 1;
    std::string key(words[0]);
    if (named == 2 && words.size() > 1) key += " " + std::string(words[1]);
    const auto found = std::find_if(lines_.begin(), lines_.end(),
                                    [&](const CostLine& line) { return line.key == key; });
    if (found == lines_.end()) {
      if (words[0] == "link") return expected("link and a kind such as ethernet", key);
      if (words[0] == "reduce") return expected("reduce and a type such as float", key);
      return expected("link, copy, reduce or executor", words[0]);
    }
    size_t& first_at = seen_[static_cast<size_t>(found - lines_.begin())];
    if (first_at != 0) return expected(fmt::format("no second line after {}", first_at), key);
    first_at = number_;
    std::vector<bool> given(found->fields.size(), false);
    for (size_t i = named; i < words.size(); ++i) {
      UNIRACK_TRY(take_field(*found, words[i], given));
    }
    for (size_t i = 0; i < given.size(); ++i) {
      if (!given[i]) return expected("a number", "nothing", found->fields[i].name);
    }
    return ok_status();
  }

  Status take_field(const CostLine& line, std::string_view word, std::vector<bool>& given) {
    const size_t equals = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, equals);
    for (size_t i = 0; i < line.fields.size(); ++i) {
      const Field& field = line.fields[i];
      if (field.name != name) continue;
      if (given[i]) return expected("one value", word, name);
      const std::string_view digits = word.substr(std::min(equals + 1, word.size()));
      uint64_t value = 0;
      const auto [end, problem] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (problem != std::errc() || end != digits.data() + digits.size() || value > field.most) {
        return expected(fmt::format("a whole number from 0 to {}", field.most), digits, name);
      }
      given[i] = true;
      field.set(value);
      return ok_status();
    }
    std::string names;
    for (const Field& field : line.fields) {
      names += (names.empty() ? "" : ", ") + std::string(field.name) + "=";
    }
    return expected("one of " + names, word);
  }

  Costs costs_;
  std::vector<CostLine> lines_;
  std::vector<size_t> seen_;  // by line of the table: where it stood, or 0
  size_t number_ = 0;
};

Error with_file(const std::string& path, Error error) {
  error.detail = fmt::format("costs file '{}': {}", path, error.detail);
  return error;
}

Error cannot(const std::string& path, std::string_view what, int sys_errno) {
  return with_file(path, make_error(Code::unavailable, std::string(what), kNoRank, sys_errno));
}

// The whole text, or more than is allowed of it.
Result<std::string> read_text(const std::string& path) {
  // Non-blocking, so that a fifo put in its place cannot hang us before it is refused.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return cannot(path, "cannot be opened", errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return cannot(path, "cannot be examined", errno);
  if (!S_ISREG(info.st_mode)) return cannot(path, "expected a regular file", 0);
  std::string text(kCostsFileMax + 1, '\0');
  size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot(path, "cannot be read", errno);
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  text.resize(length);
  return text;
}

double in_us(uint64_t ps) { return static_cast<double>(ps) / 1e6; }
double in_gb(uint64_t bytes_per_s) { return static_cast<double>(bytes_per_s) / 1e9; }

}  // namespace

std::string to_text(const Costs& costs) {
  Costs own = costs;
  std::string text(kTitle);
  text += "\n# times in picoseconds, bandwidths in bytes per second\n";
  for (const CostLine& line : lines_of(own)) {
    text += line.key;
    for (const Field& field : line.fields) text += fmt::format(" {}={}", field.name, field.get());
    text += '\n';
  }
  return text;
}

Result<Costs> costs_from_text(std::string_view text, const Costs& base) {
  return Parser(base).parse(text);
}

Result<Costs> read_costs_file(const std::string& path, const Costs& base) {
  const std::string text = UNIRACK_TRY(read_text(path));
  auto costs = costs_from_text(text, base);
  if (!costs) return with_file(path, costs.error());
  return costs;
}

Status write_costs_file(const std::string& path, const Costs& costs) {
  std::string near = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(near.data(), O_CLOEXEC));
  if (!fd) return cannot(path, "cannot be written", errno);
  const std::string text = to_text(costs);
  const ssize_t written = ::write(fd.get(), text.data(), text.size());
  // A short write is a full disk.
  int problem = written == static_cast<ssize_t>(text.size()) ? 0 : written < 0 ? errno : ENOSPC;
  if (problem == 0 && ::rename(near.c_str(), path.c_str()) != 0) problem = errno;
  if (problem == 0) return ok_status();
  ::unlink(near.c_str());
  return cannot(path, "cannot be written", problem);
}

std::string summary_of(const Costs& costs) {
  std::string text;
  for (int i = 0; i < kLinkKindCount; ++i) {
    const LinkCosts& link = costs.of(static_cast<LinkKind>(i));
    if (!link.is_measured) continue;
    text += fmt::format("{} {:.2f} us + {:.2f} us a message, {:.2f} GB/s; ",
                        to_text(static_cast<LinkKind>(i)), in_us(link.latency_ps),
                        in_us(link.gap_ps), in_gb(link.bandwidth));
  }
  const auto is = [&](const Costs& known) { return costs == known; };
  if (is(assumed_costs()) || is(assumed_host_costs())) return "as assumed";
  const auto type = static_cast<size_t>(DataType::float32);
  return text + fmt::format("copies {:.1f} GB/s; float sums {:.1f} GB/s",
                            in_gb(costs.copy_bandwidth), in_gb(costs.reduce_bandwidth[type]));
}

}  // namespace unirack
