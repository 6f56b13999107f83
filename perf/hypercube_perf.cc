#include <bit>
#include <cstring>

#include "perf/common/run.h"

namespace unirack::perf {
namespace {

// An all-gather from sends and receives: in step k a rank swaps all it has with rank ^ 2^k.
class Hypercube : public Collective {
 public:
  std::string_view name() const override { return "hypercube_perf"; }
  std::string_view summary() const override {
    return "all-gather made of send and receive pairs along the edges of a hypercube";
  }
  std::string_view bus_formula() const override {
    return "algbw, which counts the (n-1)/n of the size that arrive";
  }
  double bus_factor(int) const override { return 1; }
  double moved_bytes(double size_bytes, int n) const override { return size_bytes * (n - 1) / n; }
  bool supports(int n) const override { return std::has_single_bit(static_cast<unsigned>(n)); }
  int blocks_per_size(int n) const override { return n; }

  Blocks inputs(const Call& call) const override { return {{0, call.count, call.rank, 0}}; }
  Blocks outputs(const Call& call) const override { return blocks_from_all(call, 0); }
  InPlace in_place(const Call& call) const override {
    return {.send_offset = static_cast<size_t>(call.rank) * call.count};
  }
  unirackResult_t run(const Call& call, const void* send, void* recv,
                      unirackComm_t comm) const override {
    const size_t block_bytes = call.count * size_of(call.type);
    auto* blocks = static_cast<std::byte*>(recv);
    std::byte* own = blocks + static_cast<size_t>(call.rank) * block_bytes;
    if (own != send) std::memcpy(own, send, block_bytes);
    for (int width = 1; width < call.rank_count; width *= 2) {
      const int peer = call.rank ^ width;
      const auto mine = static_cast<size_t>(call.rank & ~(width - 1)) * block_bytes;
      const auto theirs = static_cast<size_t>(peer & ~(width - 1)) * block_bytes;
      const size_t count = static_cast<size_t>(width) * call.count;
      unirackResult_t code = unirackGroupStart();
      if (code != unirackSuccess) return code;
      code = unirackSend(blocks + mine, count, call.type, peer, comm, nullptr);
      if (code == unirackSuccess) {
        code = unirackRecv(blocks + theirs, count, call.type, peer, comm, nullptr);
      }
      const unirackResult_t end = unirackGroupEnd();
      if (code != unirackSuccess || end != unirackSuccess) {
        return code != unirackSuccess ? code : end;
      }
    }
    return unirackSuccess;
  }
};

}  // namespace
}  // namespace unirack::perf

int main(int argc, char** argv) {
  unirack::perf::Hypercube collective;
  return unirack::perf::perf_main(collective, argc, argv);
}
