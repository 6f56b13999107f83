#include "lib/base/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <variant>

namespace unirack {
namespace {

constexpr std::string_view kPrefix = "UNIRACK_";
constexpr size_t kValueBytesMax = 4096;
constexpr size_t kItemCountMax = 64;
constexpr int64_t kRankCountMax = 65'536;
constexpr int64_t kKiB = 1024;
constexpr int64_t kGiB = kKiB * kKiB * kKiB;

// The type of the member decides how the text is parsed and shown.
using Member =
    std::variant<std::string Config::*, int Config::*, bool Config::*, uint64_t Config::*,
                 milliseconds Config::*, LogLevel Config::*, PortRange Config::*,
                 std::vector<int> Config::*, std::vector<std::string> Config::*,
                 std::vector<ForcedAlgorithm> Config::*>;

struct Variable {
  std::string_view name;  // without the prefix
  Member member;
  int64_t min;  // of numbers, sizes and times
  int64_t max;
  std::string_view form;  // what a text looks like
  std::string_view doc;
};

constexpr Variable kVariables[] = {
    {"RENDEZVOUS", &Config::rendezvous, 0, 0, "host:port",
     "where rank 0 listens and the others join, when no unique id is passed by other means"},
    {"SECRET_FILE", &Config::secret_file, 0, 0, "path",
     "file with the job's secret, mode 0600 and owned by the user; needed with RENDEZVOUS"},
    {"RANK", &Config::rank, 0, kRankCountMax - 1, "", "this process's rank, with RENDEZVOUS"},
    {"RANK_COUNT", &Config::rank_count, 1, kRankCountMax, "", "how many ranks, with RENDEZVOUS"},
    {"TRANSPORTS", &Config::transports, 0, 0, "names such as shm,tcp",
     "transports that may be used; unset allows all that work here"},
    {"DOMAIN", &Config::domain, 0, 0, "name",
     "load/store domain; ranks of different names never share memory"},
    {"INTERFACE", &Config::interfaces, 0, 0, "names or prefixes such as eth,ib0,^docker",
     "network interfaces to use, best first; ^ excludes"},
    {"PORT_RANGE", &Config::port_range, 1, 65'535, "first-last such as 29500-29600",
     "ports to listen on; unset leaves the choice to the system"},
    {"LOG", &Config::log, 0, 0, "", "how much to log to standard error"},
    {"EXPLAIN", &Config::explain, 0, 0, "", "print which plan runs for each operation, and why"},
    {"PEER_TIMEOUT_MS", &Config::peer_timeout, 100, 600'000, "",
     "silence after which a peer counts as unresponsive"},
    {"OP_TIMEOUT_MS", &Config::op_timeout, 100, 86'400'000, "",
     "deadline of an operation that was given none"},
    {"JOIN_TIMEOUT_MS", &Config::join_timeout, 100, 86'400'000, "",
     "how long to wait for all ranks to join"},
    {"SUM_SHAPE", &Config::sum_shape, 1, kRankCountMax, "group sizes such as 3+5",
     "sizes of consecutive groups of ranks that pin the order of sums; unset follows the homes"},
    {"ALGORITHM", &Config::algorithms, 0, 0, "pairs such as all_reduce:ring",
     "algorithm to force for a collective"},
    {"REASSOCIATE", &Config::reassociate, 0, 0, "",
     "allow plans whose sums are not in canonical order"},
    {"TCP_CONNECTIONS", &Config::tcp_connections, 1, 8, "",
     "TCP connections to each peer, at least; every rail (interface) gets as many"},
    {"SCRATCH_BYTES", &Config::scratch_bytes, 64 * kKiB, kGiB, "", "scratch memory of each window"},
    {"TILE_BYTES", &Config::tile_bytes, 0, kGiB, "", "bytes of a tile; 0 chooses by size"},
    {"CMA", &Config::cma, 0, 0, "",
     "let shm copy private buffers with process_vm_readv where the system permits"},
    {"SPIN_US", &Config::spin_us, -1, 1'000'000, "",
     "how long a waiter spins before it sleeps; -1 decides by cores and ranks"},
    {"CALIBRATION", &Config::calibration, 0, 0, "auto, default or a path",
     "what plans are priced by: measured once and kept, published constants, or a file; rank 0's "
     "counts"},
};
static_assert(std::size(kVariables) <= 25, "more variables than a user can know");

// ---- text to values --------------------------------------------------------------------------

bool parse_number(std::string_view text, int64_t min, int64_t max, int64_t& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && value >= min && value <= max;
}

bool parse_size(std::string_view text, int64_t min, int64_t max, uint64_t& value) {
  int64_t unit = 1;
  if (!text.empty()) {
    constexpr std::string_view kSuffixes = "KMG";
    const size_t power = kSuffixes.find(static_cast<char>(text.back() & ~0x20));
    if (power != std::string_view::npos) {
      text.remove_suffix(1);
      for (size_t i = 0; i <= power; ++i) unit *= kKiB;
    }
  }
  int64_t count = 0;
  if (!parse_number(text, 0, max / unit, count) || count * unit < min) return false;
  value = static_cast<uint64_t>(count * unit);
  return true;
}

bool parse_list(std::string_view text, char separator, std::vector<std::string>& items) {
  items.clear();
  for (;;) {
    const size_t end = text.find(separator);
    const std::string_view item = text.substr(0, end);
    const bool printable =
        std::all_of(item.begin(), item.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (item.empty() || item == "^" || !printable || items.size() == kItemCountMax) return false;
    items.emplace_back(item);
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool parse(const Variable&, std::string_view text, std::string& value) {
  value = text;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' || c < 0; });
}

bool parse(const Variable& variable, std::string_view text, int& value) {
  int64_t number = 0;
  if (!parse_number(text, variable.min, variable.max, number)) return false;
  value = static_cast<int>(number);
  return true;
}

bool parse(const Variable&, std::string_view text, bool& value) {
  value = text == "1";
  return value || text == "0";
}

bool parse(const Variable& variable, std::string_view text, uint64_t& value) {
  return parse_size(text, variable.min, variable.max, value);
}

bool parse(const Variable& variable, std::string_view text, milliseconds& value) {
  int64_t number = 0;
  if (!parse_number(text, variable.min, variable.max, number)) return false;
  value = milliseconds(number);
  return true;
}

bool parse(const Variable&, std::string_view text, LogLevel& value) {
  const std::optional<LogLevel> level = parse_level(text);
  if (level) value = *level;
  return level.has_value();
}

bool parse(const Variable& variable, std::string_view text, PortRange& value) {
  std::vector<std::string> ends;
  int64_t first = 0;
  int64_t last = 0;
  if (!parse_list(text, '-', ends) || ends.size() != 2 ||
      !parse_number(ends[0], variable.min, variable.max, first) ||
      !parse_number(ends[1], first, variable.max, last)) {
    return false;
  }
  value = {static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
  return true;
}

bool parse(const Variable& variable, std::string_view text, std::vector<int>& value) {
  value.clear();
  int64_t sum = 0;
  for (;;) {
    const size_t end = text.find('+');
    int64_t size = 0;
    if (!parse_number(text.substr(0, end), variable.min, variable.max - sum, size)) return false;
    value.push_back(static_cast<int>(size));
    sum += size;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool parse(const Variable&, std::string_view text, std::vector<std::string>& value) {
  return parse_list(text, ',', value);
}

bool parse(const Variable&, std::string_view text, std::vector<ForcedAlgorithm>& value) {
  std::vector<std::string> pairs;
  if (!parse_list(text, ',', pairs)) return false;
  value.clear();
  for (const std::string& pair : pairs) {
    const size_t colon = pair.find(':');
    if (colon == 0 || colon >= pair.size() - 1) return false;  // npos too
    value.push_back({pair.substr(0, colon), pair.substr(colon + 1)});
  }
  return true;
}

// ---- values to text --------------------------------------------------------------------------

std::string size_text(uint64_t bytes) {
  constexpr std::string_view kSuffixes[] = {"", "K", "M", "G"};
  size_t power = 0;
  for (; bytes != 0 && bytes % kKiB == 0 && power < 3; ++power) bytes /= kKiB;
  return fmt::format("{}{}", bytes, kSuffixes[power]);
}

// Defaults only, so only what a default can be. Lists, texts and ranges start out empty.
std::string show(const int& value) { return value == -1 ? "" : std::to_string(value); }
std::string show(const std::string& value) { return value; }
std::string show(const bool& value) { return value ? "1" : "0"; }
std::string show(const uint64_t& value) { return size_text(value); }
std::string show(const milliseconds& value) { return std::to_string(value.count()); }
std::string show(const LogLevel& value) { return std::string(level_name(value)); }
template <class T>
std::string show(const T&) {
  return "";
}

std::string default_text(const Variable& variable) {
  const Config defaults;
  std::string text =
      std::visit([&](auto member) { return show(defaults.*member); }, variable.member);
  return text.empty() && variable.min < 0 ? std::to_string(variable.min) : text;
}

std::string expected(const Variable& variable) {
  if (!variable.form.empty()) return std::string(variable.form);
  if (std::holds_alternative<bool Config::*>(variable.member)) return "0 or 1";
  if (std::holds_alternative<LogLevel Config::*>(variable.member)) {
    return "off, error, warn, info or debug";
  }
  if (std::holds_alternative<uint64_t Config::*>(variable.member)) {
    return fmt::format("a size from {} to {}", size_text(static_cast<uint64_t>(variable.min)),
                       size_text(static_cast<uint64_t>(variable.max)));
  }
  return fmt::format("a whole number from {} to {}", variable.min, variable.max);
}

std::string full_name(const Variable& variable) {
  return fmt::format("{}{}", kPrefix, variable.name);
}

// As the XDG base directory specification has it: only absolute paths count.
std::string default_cache_folder(const Config::Lookup& lookup) {
  const char* folder = lookup("XDG_CACHE_HOME");
  if (folder != nullptr && *folder == '/') return fmt::format("{}/unirack", folder);
  const char* home = lookup("HOME");
  if (home != nullptr && *home == '/') return fmt::format("{}/.cache/unirack", home);
  return "";
}

// Levenshtein's distance between two names.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

std::string warning_for(std::string_view name) {
  constexpr size_t kShownBytesMax = 64;
  const std::string_view shown = name.substr(0, kShownBytesMax);
  const Variable* nearest = nullptr;
  size_t best = 1 + (shown.size() - kPrefix.size()) / 3;
  for (const Variable& variable : kVariables) {
    const size_t distance = edit_distance(shown.substr(kPrefix.size()), variable.name);
    if (distance <= best && (nearest == nullptr || distance < best)) {
      best = distance;
      nearest = &variable;
    }
  }
  std::string text = fmt::format("unknown variable {} is ignored", shown);
  if (nearest != nullptr) text += fmt::format("; did you mean {}?", full_name(*nearest));
  return text;
}

}  // namespace

Result<Config> Config::from_environment(const Lookup& lookup) {
  Config config;
  for (const Variable& variable : kVariables) {
    const std::string name = full_name(variable);
    const char* value = lookup(name.c_str());
    if (value == nullptr || *value == '\0') continue;
    const std::string_view text(value);
    const bool good = text.size() <= kValueBytesMax &&
                      std::visit([&](auto member) { return parse(variable, text, config.*member); },
                                 variable.member);
    if (!good) {
      return make_error(
          Code::invalid_argument,
          fmt::format("{} is '{}', expected {}", name, text.substr(0, 80), expected(variable)));
    }
  }
  config.cache_folder = default_cache_folder(lookup);
  if (config.rank >= 0 && config.rank_count >= 0 && config.rank >= config.rank_count) {
    return make_error(Code::invalid_argument,
                      fmt::format("UNIRACK_RANK is {}, expected less than UNIRACK_RANK_COUNT, {}",
                                  config.rank, config.rank_count));
  }
  return config;
}

Result<Config> Config::from_environment() {
  return from_environment([](const char* name) -> const char* { return std::getenv(name); });
}

std::vector<std::string> unknown_variables(std::span<const std::string_view> names) {
  std::vector<std::string> warnings;
  for (std::string_view name : names) {
    name = name.substr(0, name.find('='));
    if (!name.starts_with(kPrefix) || name.starts_with("UNIRACK_TEST_")) continue;
    const bool known = std::any_of(
        std::begin(kVariables), std::end(kVariables),
        [&](const Variable& variable) { return variable.name == name.substr(kPrefix.size()); });
    if (!known) warnings.push_back(warning_for(name));
  }
  return warnings;
}

std::vector<std::string> unknown_variables() {
  std::vector<std::string_view> names;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    names.emplace_back(*entry);
  }
  return unknown_variables(names);
}

std::string config_help() {
  std::string text = "Environment variables:\n";
  for (const Variable& variable : kVariables) {
    const std::string value = default_text(variable);
    text += fmt::format("  {:<24} {}\n  {:<24} {}{}\n", full_name(variable), variable.doc, "",
                        expected(variable), value.empty() ? "" : " (default " + value + ")");
  }
  return text;
}

std::string config_markdown() {
  std::string text =
      "# Configuration\n\n"
      "<!-- Generated from the table in lib/base/config.cc by scripts/config_docs.sh. -->\n\n"
      "Unirack reads these environment variables when a pool is joined, and `XDG_CACHE_HOME` and\n"
      "`HOME` to find its cache, and nothing else. An empty value counts as unset. Sizes take the\n"
      "suffixes K, M and G (powers of 1024). A value that does not fit is an error; an unknown\n"
      "`UNIRACK_` name is a warning.\n\n"
      "| variable | value | default | meaning |\n|---|---|---|---|\n";
  for (const Variable& variable : kVariables) {
    const std::string value = default_text(variable);
    text += fmt::format("| `{}` | {} | {} | {} |\n", full_name(variable), expected(variable),
                        value.empty() ? "unset" : "`" + value + "`", variable.doc);
  }
  return text;
}

}  // namespace unirack
