#include "perf/common/run.h"

namespace unirack::perf {
namespace {

class AllToAll : public Collective {
 public:
  std::string_view name() const override { return "alltoall_perf"; }
  std::string_view summary() const override {
    return "block q of rank p goes to block p of rank q";
  }
  std::string_view bus_formula() const override { return "algbw x (n-1)/n for n ranks"; }
  double bus_factor(int n) const override { return 1.0 * (n - 1) / n; }
  int blocks_per_size(int n) const override { return n; }

  Blocks inputs(const Call& call) const override { return blocks_to_all(call); }
  Blocks outputs(const Call& call) const override { return blocks_from_all(call, call.rank); }
  unirackResult_t run(const Call& call, const void* send, void* recv,
                      unirackComm_t comm) const override {
    return unirackAlltoAll(send, recv, call.count, call.type, comm, nullptr);
  }
};

}  // namespace
}  // namespace unirack::perf

int main(int argc, char** argv) {
  unirack::perf::AllToAll collective;
  return unirack::perf::perf_main(collective, argc, argv);
}
