#include "perf/common/run.h"

namespace unirack::perf {
namespace {

class AllGather : public Collective {
 public:
  std::string_view name() const override { return "all_gather_perf"; }
  std::string_view summary() const override { return "every rank gets every rank's block"; }
  std::string_view bus_formula() const override { return "algbw x (n-1)/n for n ranks"; }
  double bus_factor(int n) const override { return 1.0 * (n - 1) / n; }
  int blocks_per_size(int n) const override { return n; }

  Blocks inputs(const Call& call) const override { return {{0, call.count, call.rank, 0}}; }
  Blocks outputs(const Call& call) const override { return blocks_from_all(call, 0); }
  InPlace in_place(const Call& call) const override {
    return {.send_offset = static_cast<size_t>(call.rank) * call.count};
  }
  unirackResult_t run(const Call& call, const void* send, void* recv,
                      unirackComm_t comm) const override {
    return unirackAllGather(send, recv, call.count, call.type, comm, nullptr);
  }
};

}  // namespace
}  // namespace unirack::perf

int main(int argc, char** argv) {
  unirack::perf::AllGather collective;
  return unirack::perf::perf_main(collective, argc, argv);
}
