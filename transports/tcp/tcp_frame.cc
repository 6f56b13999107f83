#include "transports/tcp/tcp_frame.h"

#include "lib/base/crc32c.h"

namespace unirack {
namespace {

constexpr uint32_t kMagic = 0x31505455;  // "UTP1"
constexpr size_t kCheckedBytes = TcpHeader::kWireBytes - sizeof(uint32_t);

}  // namespace

TcpHeader::Wire TcpHeader::encode() const {
  Wire wire{};
  Writer writer{Bytes(wire)};
  writer.put(kMagic);
  writer.put(static_cast<uint8_t>(kind));
  writer.put(static_cast<uint8_t>(code));
  writer.put(uint16_t{0});
  writer.put(region);
  writer.put(offset);
  writer.put(bytes);
  writer.put(signal_region);
  writer.put(signal_offset);
  writer.put(signal_value);
  writer.put(tag);
  writer.put(crc32c(BytesView(wire).first(kCheckedBytes)));
  return wire;
}

Result<TcpHeader> TcpHeader::decode(BytesView wire) {
  Reader reader(wire);
  const BytesView checked = UNIRACK_TRY(reader.take_bytes(kCheckedBytes));
  if (UNIRACK_TRY(reader.take<uint32_t>()) != crc32c(checked)) {
    return make_error(Code::corrupted, "a frame header arrived with a wrong checksum");
  }
  Reader fields(checked);
  const auto magic = UNIRACK_TRY(fields.take<uint32_t>());
  const auto kind = UNIRACK_TRY(fields.take<uint8_t>());
  const auto code = UNIRACK_TRY(fields.take<uint8_t>());
  const auto zero = UNIRACK_TRY(fields.take<uint16_t>());
  TcpHeader header;
  header.region = UNIRACK_TRY(fields.take<uint64_t>());
  header.offset = UNIRACK_TRY(fields.take<uint64_t>());
  header.bytes = UNIRACK_TRY(fields.take<uint64_t>());
  header.signal_region = UNIRACK_TRY(fields.take<uint64_t>());
  header.signal_offset = UNIRACK_TRY(fields.take<uint64_t>());
  header.signal_value = UNIRACK_TRY(fields.take<uint64_t>());
  header.tag = UNIRACK_TRY(fields.take<uint32_t>());
  const bool is_known = kind >= static_cast<uint8_t>(Kind::open) &&
                        kind <= static_cast<uint8_t>(Kind::lost) &&
                        code <= static_cast<uint8_t>(Code::internal);
  header.kind = static_cast<Kind>(kind);
  header.code = static_cast<Code>(code);
  if (magic != kMagic || !is_known || zero != 0 ||
      (header.has_payload() && header.bytes > kTcpSegmentBytes)) {
    return make_error(Code::corrupted, "a frame header with fields out of range");
  }
  return header;
}

}  // namespace unirack
