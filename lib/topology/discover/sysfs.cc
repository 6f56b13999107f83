#include "lib/topology/discover/sysfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <memory>

#include "lib/base/unique_fd.h"

namespace unirack {
namespace {

constexpr size_t kFileBytesMax = 64 * 1024;
constexpr size_t kEntriesMax = 100'000;
constexpr size_t kDeniedMax = 100;
constexpr uint32_t kCpusMax = 1'000'000;

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

bool is_hex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isxdigit(static_cast<unsigned char>(c)) != 0;
  });
}

template <class Visit>
void split(std::string_view text, char separator, Visit visit) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

Sysfs::Sysfs(std::string root) : root_(std::move(root)) {
  while (root_.size() > 1 && root_.ends_with('/')) root_.pop_back();
  if (root_.empty()) root_ = "/";
}

std::string Sysfs::path_of(std::string_view path) const {
  return is_this_machine() ? std::string(path) : root_ + std::string(path);
}

std::vector<std::byte> Sysfs::read_bytes(std::string_view path, size_t bytes_max) {
  const UniqueFd file(open(path_of(path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if ((errno == EACCES || errno == EPERM) && denied_.size() < kDeniedMax) {
      denied_.emplace_back(path);
    }
    return {};
  }
  std::vector<std::byte> bytes(bytes_max);
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t count = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;  // some files of /sys answer with an error for "not known"
    filled += static_cast<size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

std::optional<std::string> Sysfs::read(std::string_view path) {
  const std::vector<std::byte> bytes = read_bytes(path, kFileBytesMax);
  std::string_view text = text_of(bytes);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  if (text.empty()) return std::nullopt;
  return std::string(text);
}

std::optional<int64_t> Sysfs::read_integer(std::string_view path) {
  const auto text = read(path);
  return text ? parse_integer(*text) : std::nullopt;
}

std::optional<std::string> Sysfs::read_link(std::string_view path) const {
  std::string target(4096, '\0');
  const ssize_t size = readlink(path_of(path).c_str(), target.data(), target.size());
  if (size <= 0) return std::nullopt;
  target.resize(static_cast<size_t>(size));
  return target;
}

bool Sysfs::exists(std::string_view path) const { return access(path_of(path).c_str(), F_OK) == 0; }

std::vector<std::string> Sysfs::list(std::string_view path) const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseFolder> folder(opendir(path_of(path).c_str()));
  if (!folder) return names;
  while (const dirent* entry = readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() == kEntriesMax) break;
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_pci_bus_id(std::string_view text) {
  const size_t domain_end = text.find(':');
  if (domain_end == std::string_view::npos || domain_end < 4 || domain_end > 8) return false;
  const std::string_view rest = text.substr(domain_end + 1);
  return rest.size() == 7 && is_hex(text.substr(0, domain_end)) && is_hex(rest.substr(0, 2)) &&
         rest[2] == ':' && is_hex(rest.substr(3, 2)) && rest[5] == '.' && is_hex(rest.substr(6));
}

std::vector<std::string> pci_bus_ids_in(std::string_view path) {
  std::vector<std::string> found;
  split(path, '/', [&](std::string_view part) {
    if (is_pci_bus_id(part)) found.emplace_back(part);
  });
  return found;
}

uint32_t count_cpu_list(std::string_view text) {
  uint32_t count = 0;
  split(text, ',', [&](std::string_view part) {
    const size_t dash = part.find('-');
    const auto first = parse_integer(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_integer(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last >= kCpusMax) return;
    count += static_cast<uint32_t>(*last - *first) + 1;
  });
  return std::min(count, kCpusMax);
}

std::optional<int64_t> parse_integer(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace unirack
