#include "perf/common/run.h"

namespace unirack::perf {
namespace {

class AllReduce : public Collective {
 public:
  std::string_view name() const override { return "all_reduce_perf"; }
  std::string_view summary() const override {
    return "every rank gets the reduction of all ranks' vectors";
  }
  std::string_view bus_formula() const override { return "algbw x 2(n-1)/n for n ranks"; }
  double bus_factor(int n) const override { return 2.0 * (n - 1) / n; }
  bool reduces() const override { return true; }

  Blocks inputs(const Call& call) const override { return {{0, call.count, call.rank, 0}}; }
  Blocks outputs(const Call& call) const override { return {{0, call.count, kReduced, 0}}; }
  unirackResult_t run(const Call& call, const void* send, void* recv,
                      unirackComm_t comm) const override {
    return unirackAllReduce(send, recv, call.count, call.type, call.op_handle, comm, nullptr);
  }
};

}  // namespace
}  // namespace unirack::perf

int main(int argc, char** argv) {
  unirack::perf::AllReduce collective;
  return unirack::perf::perf_main(collective, argc, argv);
}
