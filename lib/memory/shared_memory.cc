#include "lib/memory/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>
#include <string>
#include <utility>

namespace unirack {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;

Error failed(const char* what, size_t bytes) {
  const int error = errno;
  const bool shortage = error == ENOSPC || error == ENOMEM || error == EFBIG || error == EMFILE ||
                        error == ENFILE || error == EDQUOT;
  return make_error(
      shortage ? Code::resource_exhausted : Code::system,
      std::string(what) + " failed for " + std::to_string(bytes) + " bytes of shared memory",
      kNoRank, error);
}

// Growing a file beyond RLIMIT_FSIZE raises SIGXFSZ, which kills: so it is not tried.
Status check_file_limit(size_t bytes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0) return failed("getrlimit", bytes);
  if (limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur) return ok_status();
  return make_error(Code::resource_exhausted,
                    std::to_string(bytes) + " bytes of shared memory exceed the file size limit (" +
                        "ulimit -f) of " + std::to_string(limit.rlim_cur) + " bytes");
}

Result<std::byte*> map(int fd, size_t bytes, Access access) {
  const int protection = PROT_READ | (allows(access, Access::write) ? PROT_WRITE : 0);
  void* const data = ::mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return failed("mmap", bytes);
  return static_cast<std::byte*>(data);
}

}  // namespace

SharedMemory::SharedMemory(std::byte* data, size_t bytes, UniqueFd fd)
    : data_(data), bytes_(bytes), fd_(std::move(fd)) {}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      fd_(std::move(other.fd_)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  if (this != &other) {
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    fd_ = std::move(other.fd_);
  }
  return *this;
}

SharedMemory::~SharedMemory() { unmap(); }

void SharedMemory::unmap() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

Result<SharedMemory> SharedMemory::create(size_t bytes, Access peer_access) {
  if (bytes == 0 || bytes > static_cast<size_t>(std::numeric_limits<off_t>::max())) {
    return make_error(Code::invalid_argument,
                      "shared memory of " + std::to_string(bytes) + " bytes");
  }
  UNIRACK_TRY(check_file_limit(bytes));
  UniqueFd fd(::memfd_create("unirack", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return failed("memfd_create", bytes);
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return failed("ftruncate", bytes);
  const int raw_fd = fd.get();
  SharedMemory memory(UNIRACK_TRY(map(raw_fd, bytes, Access::read_write)), bytes, std::move(fd));
  if (bytes >= kHugePageBytes) {
    // Huge pages come only through the mapping. Both calls may be refused by an older kernel or
    // its settings; what they leave out is allocated below.
    if (::madvise(memory.data_, bytes, MADV_HUGEPAGE) == 0) {
      ::madvise(memory.data_, bytes, MADV_POPULATE_WRITE);
    }
  }
  if (::fallocate(raw_fd, 0, 0, static_cast<off_t>(bytes)) != 0) return failed("fallocate", bytes);
  const int write_seal = allows(peer_access, Access::write) ? 0 : F_SEAL_FUTURE_WRITE;
  if (::fcntl(raw_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | write_seal) != 0) {
    return failed("sealing", bytes);
  }
  return memory;
}

Status check_sealed(int fd, size_t bytes) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return make_error(Code::invalid_argument, "memory is not a memfd sealed against shrinking");
  }
  struct stat info {};
  if (::fstat(fd, &info) != 0) return failed("fstat", bytes);
  if (static_cast<uint64_t>(info.st_size) < bytes) {
    return make_error(Code::invalid_argument, "memfd of " + std::to_string(info.st_size) +
                                                  " bytes announced as " + std::to_string(bytes));
  }
  return ok_status();
}

Result<SharedMemory> SharedMemory::map_peer(UniqueFd fd, size_t bytes, Access access) {
  if (bytes == 0) return make_error(Code::invalid_argument, "shared memory of 0 bytes");
  UNIRACK_TRY(check_sealed(fd.get(), bytes));
  return SharedMemory(UNIRACK_TRY(map(fd.get(), bytes, access)), bytes, UniqueFd());
}

Status SharedMemory::abandon() {
  if (data_ == nullptr) return ok_status();
  void* const data = ::mmap(data_, bytes_, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return failed("mmap", bytes_);
  fd_.reset();
  return ok_status();
}

}  // namespace unirack
