// CRC32C (Castagnoli, reflected, RFC 3720 appendix B.4), the checksum of every header on the wire.
// It finds accidents, not attackers. Uses the SSE4.2 instruction where the processor has it and a
// table otherwise; both give the same value. Pure functions, callable from any thread.
#pragma once

#include <cstdint>

#include "lib/base/bytes.h"

namespace unirack {

// crc32c(b, crc32c(a)) equals the checksum of a followed by b.
uint32_t crc32c(BytesView bytes, uint32_t previous = 0);

// The portable path, public so that tests can compare the two.
uint32_t crc32c_table(BytesView bytes, uint32_t previous = 0);

}  // namespace unirack
