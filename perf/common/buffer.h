// A page-aligned host buffer with a guard on either side, in one of the three kinds of the option
// -R. Owned by one rank thread; it must end before its communicator.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "unirack/unirack.h"

namespace unirack::perf {

enum class Registration { none = 0, local = 1, symmetric = 2 };

// What a receive buffer holds before a call: NaN in every float type.
inline constexpr std::byte kPoison{0xff};

class Buffer {
 public:
  // Empty when the library refused; the error stands in the communicator.
  static std::optional<Buffer> make(unirackComm_t comm, size_t bytes, Registration registration);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) = delete;
  ~Buffer();

  std::byte* data() const { return base_ + kGuardBytes; }

  // Poisons the first `end` bytes, a page before them and a page after.
  void poison(size_t end);
  // How many bytes from the page before the buffer to the page after `end`, but for [begin, end),
  // are no longer poison.
  size_t count_spoiled(size_t begin, size_t end) const;

 private:
  static constexpr size_t kGuardBytes = 4096;
  Buffer() = default;

  unirackComm_t comm_ = nullptr;
  Registration registration_ = Registration::none;
  std::byte* base_ = nullptr;
  void* handle_ = nullptr;
};

}  // namespace unirack::perf
