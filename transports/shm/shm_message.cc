#include "transports/shm/shm_message.h"

namespace unirack {
namespace {

constexpr uint32_t kMagic = 0x314d5355;  // "USM1"

}  // namespace

std::array<std::byte, ShmMessage::kWireBytes> ShmMessage::encode() const {
  std::array<std::byte, kWireBytes> wire{};
  Writer writer(wire);
  writer.put(kMagic);
  writer.put(static_cast<uint8_t>(kind));
  writer.put(static_cast<uint8_t>(flag ? 1 : 0));
  writer.put(access);
  writer.put(uint8_t{0});
  writer.put(a);
  writer.put(b);
  return wire;
}

Result<ShmMessage> ShmMessage::decode(BytesView wire) {
  if (wire.size() != kWireBytes) {
    return make_error(Code::corrupted, "message of a wrong size on a unix socket");
  }
  Reader reader(wire);
  const auto magic = UNIRACK_TRY(reader.take<uint32_t>());
  const auto kind = UNIRACK_TRY(reader.take<uint8_t>());
  const auto flag = UNIRACK_TRY(reader.take<uint8_t>());
  ShmMessage message;
  message.access = UNIRACK_TRY(reader.take<uint8_t>());
  const auto zero = UNIRACK_TRY(reader.take<uint8_t>());
  message.a = UNIRACK_TRY(reader.take<uint64_t>());
  message.b = UNIRACK_TRY(reader.take<uint64_t>());
  if (magic != kMagic || kind < 1 || kind > 6 || flag > 1 || message.access > 3 || zero != 0) {
    return make_error(Code::corrupted, "message with fields out of range on a unix socket");
  }
  message.kind = static_cast<Kind>(kind);
  message.flag = flag == 1;
  return message;
}

}  // namespace unirack
