#include "perf/common/run.h"

namespace unirack::perf {
namespace {

class Reduce : public Collective {
 public:
  std::string_view name() const override { return "reduce_perf"; }
  std::string_view summary() const override {
    return "the root gets the reduction of all ranks' vectors";
  }
  std::string_view bus_formula() const override { return "algbw"; }
  double bus_factor(int) const override { return 1; }
  bool reduces() const override { return true; }
  bool rooted() const override { return true; }
  bool synchronizes() const override { return false; }

  Blocks inputs(const Call& call) const override { return {{0, call.count, call.rank, 0}}; }
  Blocks outputs(const Call& call) const override {
    if (call.rank != call.root) return {};
    return {{0, call.count, kReduced, 0}};
  }
  unirackResult_t run(const Call& call, const void* send, void* recv,
                      unirackComm_t comm) const override {
    return unirackReduce(send, recv, call.count, call.type, call.op_handle, call.root, comm,
                         nullptr);
  }
};

}  // namespace
}  // namespace unirack::perf

int main(int argc, char** argv) {
  unirack::perf::Reduce collective;
  return unirack::perf::perf_main(collective, argc, argv);
}
