// The messages of a link's socket once both ends have proved who they are. Fixed 32 bytes; the
// descriptors that belong to some travel beside them. Pure codec.
#pragma once

#include <array>
#include <cstdint>

#include "lib/base/bytes.h"
#include "lib/base/result.h"

namespace unirack {

struct ShmMessage {
  enum class Kind : uint8_t {
    attach = 1,  // control segment, eventfd; a: address of its probe; flag: the sender can use CMA
    pair = 2,    // pair segment; a: bytes of one ring
    open = 3,    // a: path; the sender has an endpoint there
    close = 4,   // a: path; it has none any more
    region = 5,  // memfd of symmetric memory; a: region id, b: bytes; access
    retire = 6,  // a: region id
  };

  Kind kind = Kind::attach;
  bool flag = false;
  uint8_t access = 0;
  uint64_t a = 0;
  uint64_t b = 0;

  static constexpr size_t kWireBytes = 32;
  std::array<std::byte, kWireBytes> encode() const;
  static Result<ShmMessage> decode(BytesView wire);
};

}  // namespace unirack
