// What a call must satisfy before it becomes an operation, and what is derived from it; and split.
#include <algorithm>
#include <array>
#include <memory>
#include <mutex>

#include "collectives/communicator.h"
#include "kernels/reduce.h"
#include "lib/base/bytes.h"
#include "lib/control/rendezvous.h"

namespace unirack {

namespace {

// Buffers are addressed with 63 bits, all blocks together.
constexpr uint64_t kBufferBytesMax = uint64_t{1} << 62;

struct Extent {
  const std::byte* data = nullptr;
  uint64_t bytes = 0;
};

uint64_t buffer_bytes(const Request& request, int ranks, Rank rank, BufferId buffer) {
  const Layout layout(request.collective, ranks, request.root);
  return layout.blocks(rank, buffer) * request.count * size_of(request.type);
}

bool overlap(const Extent& a, const Extent& b) {
  return a.bytes > 0 && b.bytes > 0 && a.data < b.data + b.bytes && b.data < a.data + a.bytes;
}

// Bytes and offsets of one direction; no block may end beyond 2^62 bytes.
Status to_bytes(size_t element, std::span<const size_t> counts, std::span<const size_t> offsets,
                std::vector<uint64_t>& bytes, std::vector<uint64_t>& starts) {
  if (counts.data() == nullptr || offsets.data() == nullptr) {
    return make_error(Code::invalid_argument, "counts and displacements must not be null");
  }
  const uint64_t most = kBufferBytesMax / element;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > most || offsets[i] > most - counts[i]) {
      return make_error(Code::invalid_argument,
                        "the block of rank " + std::to_string(i) + " ends beyond 2^62 bytes");
    }
    bytes.push_back(counts[i] * element);
    starts.push_back(offsets[i] * element);
  }
  return ok_status();
}

}  // namespace

Status set_extents(Call& call, std::span<const size_t> send_counts,
                   std::span<const size_t> send_offsets, std::span<const size_t> receive_counts,
                   std::span<const size_t> receive_offsets) {
  const size_t element = size_of(call.request.type);
  VectorExtents& extents = call.extents;
  UNIRACK_TRY(
      to_bytes(element, send_counts, send_offsets, extents.send_bytes, extents.send_offsets));
  UNIRACK_TRY(to_bytes(element, receive_counts, receive_offsets, extents.receive_bytes,
                       extents.receive_offsets));
  const auto is_needed = [](uint64_t bytes) { return bytes > 0; };
  if ((call.send == nullptr && std::ranges::any_of(extents.send_bytes, is_needed)) ||
      (call.receive == nullptr && std::ranges::any_of(extents.receive_bytes, is_needed))) {
    return make_error(Code::invalid_argument, "a buffer of a call with elements is null");
  }
  return ok_status();
}

uint64_t scalar_bits(DataType type, const std::byte* scalar) {
  uint64_t bits = 0;
  const ReduceSource source{scalar, Form::user};
  reduce({type, ReduceOp::sum, 1, 0}, {reinterpret_cast<std::byte*>(&bits), Form::partial},
         {&source, 1}, 1);
  return bits;
}

Result<UniqueId> open_pool(const Config& config) {
  if (!config.rendezvous.empty()) {
    return UniqueId::from_environment(config, deadline_in(config.join_timeout));
  }
  auto opened = UNIRACK_TRY(Rendezvous::open(config));
  keep_rendezvous(std::move(opened.rendezvous));
  return std::move(opened.id);
}

void keep_rendezvous(std::unique_ptr<Rendezvous> rendezvous) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<Rendezvous>> kept;
  const std::lock_guard lock(mutex);
  std::erase_if(kept, [](const auto& each) { return !each->running(); });
  kept.push_back(std::move(rendezvous));
}

Status Communicator::check(const Call& call) const {
  const Request& request = call.request;
  const bool is_pair = request.collective == Collective::send_recv;
  if (request.root < 0 || request.root >= rank_count_) {
    return make_error(Code::invalid_argument, "root " + std::to_string(request.root) +
                                                  ": expected a rank below " +
                                                  std::to_string(rank_count_));
  }
  if (is_pair && (call.peer < 0 || call.peer >= rank_count_)) {
    return make_error(Code::invalid_argument, "peer " + std::to_string(call.peer) +
                                                  ": expected a rank below " +
                                                  std::to_string(rank_count_));
  }
  const uint64_t blocks = static_cast<uint64_t>(rank_count_);
  if (request.count > kBufferBytesMax / size_of(request.type) / blocks) {
    return make_error(Code::invalid_argument, "count " + std::to_string(request.count) +
                                                  " makes a buffer larger than 2^62 bytes");
  }
  if (request.collective == Collective::all_to_all_v || request.collective == Collective::barrier) {
    return ok_status();
  }
  const int ranks = is_pair ? 2 : rank_count_;
  const Rank self = is_pair ? (call.is_send ? 0 : 1) : rank_;
  const uint64_t send_bytes = buffer_bytes(request, ranks, self, BufferId::input);
  const uint64_t receive_bytes = buffer_bytes(request, ranks, self, BufferId::output);
  if ((send_bytes > 0 && call.send == nullptr) || (receive_bytes > 0 && call.receive == nullptr)) {
    return make_error(Code::invalid_argument, "a buffer of a call with elements is null");
  }
  return check_overlap(call);
}

Status Communicator::check_overlap(const Call& call) const {
  const Request& request = call.request;
  if (request.collective == Collective::send_recv) return ok_status();
  const Extent send{call.send, buffer_bytes(request, rank_count_, rank_, BufferId::input)};
  const Extent receive{call.receive, buffer_bytes(request, rank_count_, rank_, BufferId::output)};
  if (!overlap(send, receive)) return ok_status();
  // In place: an input block lies exactly on the output block it shares memory with.
  const Layout layout(request.collective, rank_count_, request.root);
  const uint64_t block_bytes = request.count * size_of(request.type);
  for (uint32_t block = 0; block < layout.blocks(rank_, BufferId::input); ++block) {
    const auto aliased = layout.aliased_output(rank_, block);
    if (aliased && send.data + block * block_bytes == receive.data + *aliased * block_bytes) {
      return ok_status();
    }
  }
  return make_error(Code::invalid_argument,
                    "send and receive buffers overlap: expected them apart, or in place");
}

void Communicator::complete_request(Call& call) {
  Request& request = call.request;
  if (request.collective == Collective::all_to_all) {
    request.in_place = request.count > 0 && call.send == call.receive;
  }
  if (!is_reduction(request.collective) || request.count == 0) return;
  const uint64_t sends = buffer_bytes(request, rank_count_, rank_, BufferId::input);
  const uint64_t receives = buffer_bytes(request, rank_count_, rank_, BufferId::output);
  request.symmetric = engine_->is_symmetric(call.send, sends) &&
                      (receives == 0 || engine_->is_symmetric(call.receive, receives));
}

// All ranks' `mine`, in rank order.
Result<std::vector<std::byte>> Communicator::gather_all(std::span<const std::byte> mine) {
  std::vector<std::byte> all(mine.size() * static_cast<size_t>(rank_count_));
  Call call;
  call.request.collective = Collective::all_gather;
  call.request.type = DataType::uint8;
  call.request.count = mine.size();
  call.send = mine.data();
  call.receive = all.data();
  UNIRACK_TRY(run(std::move(call)));
  return all;
}

Result<std::unique_ptr<Communicator>> Communicator::split(int color, int key,
                                                          const Config& config) {
  std::vector<std::byte> mine;
  Writer writer(mine);
  writer.put<int32_t>(color);
  writer.put<int32_t>(key);
  const auto all = UNIRACK_TRY(gather_all(mine));
  Reader reader(all);
  std::vector<std::pair<int32_t, Rank>> group;  // (key, rank) of our color
  for (Rank each = 0; each < rank_count_; ++each) {
    const auto their_color = UNIRACK_TRY(reader.take<int32_t>());
    const auto their_key = UNIRACK_TRY(reader.take<int32_t>());
    if (their_color == color) group.emplace_back(their_key, each);
  }
  std::sort(group.begin(), group.end());
  // The first of each group opens the rendezvous; its id reaches the group through all.
  std::array<std::byte, UniqueId::kBytes> id_bytes{};
  Status opened = ok_status();
  if (color >= 0 && group.front().second == rank_) {
    // The environment's rendezvous is the parent's.
    Config own = config;
    own.rendezvous.clear();
    auto id = open_pool(own);
    if (id) id_bytes = id->serialise();
    if (!id) opened = id.error();
  }
  const auto ids = UNIRACK_TRY(gather_all(id_bytes));
  UNIRACK_TRY(std::move(opened));
  if (color < 0) return std::unique_ptr<Communicator>();
  const auto leader = static_cast<size_t>(group.front().second);
  const auto id = UNIRACK_TRY(
      UniqueId::parse(std::span(ids).subspan(leader * UniqueId::kBytes, UniqueId::kBytes)));
  Rank new_rank = 0;
  while (group[static_cast<size_t>(new_rank)].second != rank_) ++new_rank;
  return create(id, new_rank, static_cast<int>(group.size()), config,
                Known{engine_->fabric().machine_view, calibration_});
}

}  // namespace unirack
