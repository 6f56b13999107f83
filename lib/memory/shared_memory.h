// Memory that several processes map: a sealed memfd, so it has no name that could outlive its users
// and no peer can shrink it under us. Every page is allocated when it is created: a shortage is an
// error then and not a SIGBUS later.
//
// Move-only; unmaps and closes when it dies. A value of its owner's thread; the bytes themselves
// are shared with whoever has mapped them.
#pragma once

#include <cstddef>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "lib/memory/region_table.h"

namespace unirack {

class SharedMemory {
 public:
  // Zeroed and writable here; sealed so that peers have no more than `peer_access`. Huge pages are
  // asked for where they fit.
  static Result<SharedMemory> create(size_t bytes, Access peer_access = Access::read_write);
  // Maps the first `bytes` of a peer's memory, after checking that `fd` is a memfd which can never
  // become smaller than that. The descriptor is closed: the mapping does not need it. Without
  // write access the mapping is read-only.
  static Result<SharedMemory> map_peer(UniqueFd fd, size_t bytes, Access access);

  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  std::byte* data() const { return data_; }
  size_t size() const { return bytes_; }
  // -1 where a peer's memory was mapped.
  int fd() const { return fd_.get(); }

  // Gives the pages back while the addresses stay taken: a late access of this process meets
  // anonymous memory that nobody shares, and no fault.
  Status abandon();

 private:
  SharedMemory(std::byte* data, size_t bytes, UniqueFd fd);
  void unmap();

  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  UniqueFd fd_;
};

// Whether `fd` is a memfd sealed against shrinking that holds at least `bytes`.
Status check_sealed(int fd, size_t bytes);

}  // namespace unirack
