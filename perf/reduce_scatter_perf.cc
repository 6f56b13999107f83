#include "perf/common/run.h"

namespace unirack::perf {
namespace {

class ReduceScatter : public Collective {
 public:
  std::string_view name() const override { return "reduce_scatter_perf"; }
  std::string_view summary() const override {
    return "rank r gets block r of the reduction of all ranks' vectors";
  }
  std::string_view bus_formula() const override { return "algbw x (n-1)/n for n ranks"; }
  double bus_factor(int n) const override { return 1.0 * (n - 1) / n; }
  bool reduces() const override { return true; }
  int blocks_per_size(int n) const override { return n; }

  Blocks inputs(const Call& call) const override { return blocks_to_all(call); }
  Blocks outputs(const Call& call) const override { return {{0, call.count, kReduced, call.rank}}; }
  InPlace in_place(const Call& call) const override {
    return {.recv_offset = static_cast<size_t>(call.rank) * call.count};
  }
  unirackResult_t run(const Call& call, const void* send, void* recv,
                      unirackComm_t comm) const override {
    return unirackReduceScatter(send, recv, call.count, call.type, call.op_handle, comm, nullptr);
  }
};

}  // namespace
}  // namespace unirack::perf

int main(int argc, char** argv) {
  unirack::perf::ReduceScatter collective;
  return unirack::perf::perf_main(collective, argc, argv);
}
