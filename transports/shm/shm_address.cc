#include "transports/shm/shm_address.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "lib/base/random.h"
#include "lib/base/unique_fd.h"

namespace unirack {
namespace {

constexpr uint32_t kMagic = 0x304d5355;  // "USM0"
constexpr size_t kDomainBytesMax = 256;

}  // namespace

Result<ShmAddress> ShmAddress::create(uint64_t instance, std::string domain) {
  ShmAddress address;
  const UniqueFd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  const ssize_t length = file ? ::read(file.get(), address.boot_id.data(), kBootIdBytes) : -1;
  if (length != static_cast<ssize_t>(kBootIdBytes)) {
    return make_error(Code::unavailable, "the boot id of this machine cannot be read", kNoRank,
                      errno);
  }
  struct stat info {};
  if (::stat("/proc/self/ns/net", &info) != 0) {
    return make_error(Code::unavailable, "the network namespace cannot be read", kNoRank, errno);
  }
  if (domain.size() > kDomainBytesMax) {
    return make_error(Code::invalid_argument, "UNIRACK_DOMAIN is longer than 256 bytes");
  }
  UNIRACK_TRY(fill_random(address.nonce));
  address.namespace_device = info.st_dev;
  address.namespace_inode = info.st_ino;
  address.user = ::geteuid();
  address.instance = instance;
  address.domain = std::move(domain);
  return address;
}

std::vector<std::byte> ShmAddress::encode() const {
  std::vector<std::byte> wire;
  Writer writer(wire);
  writer.put(kMagic);
  writer.put_bytes(boot_id);
  writer.put(namespace_device);
  writer.put(namespace_inode);
  writer.put(user);
  writer.put(instance);
  writer.put_bytes(nonce);
  writer.put_bytes(bytes_of(domain));
  return wire;
}

Result<ShmAddress> ShmAddress::decode(BytesView wire) {
  Reader reader(wire);
  if (UNIRACK_TRY(reader.take<uint32_t>()) != kMagic) {
    return make_error(Code::invalid_argument, "not an address of shared memory");
  }
  ShmAddress address;
  UNIRACK_TRY(reader.take_into(address.boot_id));
  address.namespace_device = UNIRACK_TRY(reader.take<uint64_t>());
  address.namespace_inode = UNIRACK_TRY(reader.take<uint64_t>());
  address.user = UNIRACK_TRY(reader.take<uint32_t>());
  address.instance = UNIRACK_TRY(reader.take<uint64_t>());
  UNIRACK_TRY(reader.take_into(address.nonce));
  if (reader.remaining() > kDomainBytesMax) {
    return make_error(Code::invalid_argument, "domain name longer than 256 bytes");
  }
  address.domain = text_of(reader.rest());
  return address;
}

bool ShmAddress::shares_memory_with(const ShmAddress& other) const {
  return boot_id == other.boot_id && namespace_device == other.namespace_device &&
         namespace_inode == other.namespace_inode && user == other.user &&
         instance == other.instance && domain == other.domain && nonce != other.nonce;
}

std::string ShmAddress::socket_name() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name = "unirack-";
  for (const std::byte byte : nonce) {
    name += kDigits[static_cast<size_t>(byte >> 4)];
    name += kDigits[static_cast<size_t>(byte & std::byte{15})];
  }
  return name;
}

}  // namespace unirack
