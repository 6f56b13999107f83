#include "collectives/card.h"

#include <fstream>

#include "lib/base/bytes.h"

namespace unirack {

namespace {

constexpr uint8_t kCardVersion = 3;
constexpr size_t kTransportsMax = 16;
constexpr size_t kFieldBytesMax = 4096;

void put_field(Writer& writer, BytesView bytes) {
  writer.put<uint16_t>(static_cast<uint16_t>(bytes.size()));
  writer.put_bytes(bytes);
}

Result<BytesView> take_field(Reader& reader) {
  const auto bytes = UNIRACK_TRY(reader.take<uint16_t>());
  if (bytes > kFieldBytesMax) return make_error(Code::corrupted, "a card field is too long");
  return reader.take_bytes(bytes);
}

Result<std::vector<std::byte>> take_bytes(Reader& reader) {
  const BytesView field = UNIRACK_TRY(take_field(reader));
  return std::vector<std::byte>(field.begin(), field.end());
}

Result<std::string> take_text(Reader& reader) {
  return std::string(text_of(UNIRACK_TRY(take_field(reader))));
}

}  // namespace

std::vector<std::byte> encode_card(const Card& card) {
  std::vector<std::byte> bytes;
  Writer writer(bytes);
  writer.put<uint8_t>(kCardVersion);
  put_field(writer, bytes_of(card.home));
  put_field(writer, bytes_of(card.place.machine));
  put_field(writer, bytes_of(card.place.kernel));
  put_field(writer, bytes_of(card.place.domain));
  writer.put<uint64_t>(card.place.numa_nodes);
  writer.put<uint64_t>(card.window_bytes);
  writer.put<uint8_t>(static_cast<uint8_t>(card.transports.size()));
  for (const CardTransport& transport : card.transports) {
    put_field(writer, bytes_of(transport.name));
    put_field(writer, transport.address);
    writer.put<uint32_t>(transport.rail_count);
    put_field(writer, transport.inbox);
    put_field(writer, transport.scratch);
  }
  return bytes;
}

Result<Card> decode_card(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  const auto version = UNIRACK_TRY(reader.take<uint8_t>());
  if (version != kCardVersion) {
    return make_error(Code::version_mismatch, "a card of version " + std::to_string(version) +
                                                  ", expected version " +
                                                  std::to_string(kCardVersion));
  }
  Card card;
  card.home = UNIRACK_TRY(take_text(reader));
  card.place.machine = UNIRACK_TRY(take_text(reader));
  card.place.kernel = UNIRACK_TRY(take_text(reader));
  card.place.domain = UNIRACK_TRY(take_text(reader));
  card.place.numa_nodes = UNIRACK_TRY(reader.take<uint64_t>());
  card.window_bytes = UNIRACK_TRY(reader.take<uint64_t>());
  const auto count = UNIRACK_TRY(reader.take<uint8_t>());
  if (count > kTransportsMax) return make_error(Code::corrupted, "a card of too many transports");
  for (uint8_t i = 0; i < count; ++i) {
    CardTransport transport;
    transport.name = UNIRACK_TRY(take_text(reader));
    transport.address = UNIRACK_TRY(take_bytes(reader));
    transport.rail_count = UNIRACK_TRY(reader.take<uint32_t>());
    if (transport.rail_count == 0) return make_error(Code::corrupted, "a card without a rail");
    transport.inbox = UNIRACK_TRY(take_bytes(reader));
    transport.scratch = UNIRACK_TRY(take_bytes(reader));
    card.transports.push_back(std::move(transport));
  }
  UNIRACK_TRY(reader.expect_end());
  return card;
}

std::string host_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

std::string home_of(const std::string& domain) {
  return domain.empty() ? "boot:" + host_id() : "domain:" + domain;
}

}  // namespace unirack
