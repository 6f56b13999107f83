#include "perf/common/run.h"

namespace unirack::perf {
namespace {

class SendRecv : public Collective {
 public:
  std::string_view name() const override { return "sendrecv_perf"; }
  std::string_view summary() const override {
    return "every rank sends to the next and receives from the one before, at once";
  }
  std::string_view bus_formula() const override { return "algbw"; }
  double bus_factor(int) const override { return 1; }
  bool has_in_place() const override { return false; }
  bool synchronizes() const override { return false; }

  Blocks inputs(const Call& call) const override { return {{0, call.count, call.rank, 0}}; }
  Blocks outputs(const Call& call) const override { return {{0, call.count, previous(call), 0}}; }
  unirackResult_t run(const Call& call, const void* send, void* recv,
                      unirackComm_t comm) const override {
    const int next = (call.rank + 1) % call.rank_count;
    unirackResult_t code = unirackGroupStart();
    if (code != unirackSuccess) return code;
    code = unirackSend(send, call.count, call.type, next, comm, nullptr);
    if (code == unirackSuccess) {
      code = unirackRecv(recv, call.count, call.type, previous(call), comm, nullptr);
    }
    const unirackResult_t end = unirackGroupEnd();
    return code != unirackSuccess ? code : end;
  }

 private:
  static int previous(const Call& call) {
    return (call.rank + call.rank_count - 1) % call.rank_count;
  }
};

}  // namespace
}  // namespace unirack::perf

int main(int argc, char** argv) {
  unirack::perf::SendRecv collective;
  return unirack::perf::perf_main(collective, argc, argv);
}
