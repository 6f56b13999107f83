#include "perf/common/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace unirack::perf {
namespace {

size_t count_not_poison(std::span<const std::byte> bytes) {
  return bytes.size() - static_cast<size_t>(std::count(bytes.begin(), bytes.end(), kPoison));
}

}  // namespace

std::optional<Buffer> Buffer::make(unirackComm_t comm, size_t bytes, Registration registration) {
  Buffer buffer;
  buffer.registration_ = registration;
  const size_t whole = (bytes + 2 * kGuardBytes + kGuardBytes - 1) / kGuardBytes * kGuardBytes;
  void* base = nullptr;
  if (registration == Registration::symmetric) {
    if (unirackMemAlloc(comm, &base, whole) != unirackSuccess) return std::nullopt;
  } else {
    base = std::aligned_alloc(kGuardBytes, whole);
    if (base == nullptr) return std::nullopt;
  }
  buffer.comm_ = comm;
  buffer.base_ = static_cast<std::byte*>(base);
  buffer.poison(bytes);
  if (registration == Registration::local &&
      unirackCommRegister(comm, base, whole, &buffer.handle_) != unirackSuccess) {
    return std::nullopt;
  }
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept
    : comm_(other.comm_),
      registration_(other.registration_),
      base_(std::exchange(other.base_, nullptr)),
      handle_(std::exchange(other.handle_, nullptr)) {}

Buffer::~Buffer() {
  if (handle_ != nullptr) unirackCommDeregister(comm_, handle_);
  if (base_ == nullptr) return;
  if (registration_ == Registration::symmetric) {
    unirackMemFree(comm_, base_);
  } else {
    std::free(base_);
  }
}

void Buffer::poison(size_t end) {
  std::memset(base_, std::to_integer<int>(kPoison), end + 2 * kGuardBytes);
}

size_t Buffer::count_spoiled(size_t begin, size_t end) const {
  const std::span<const std::byte> whole(base_, end + 2 * kGuardBytes);
  return count_not_poison(whole.first(kGuardBytes + begin)) +
         count_not_poison(whole.last(kGuardBytes));
}

}  // namespace unirack::perf
