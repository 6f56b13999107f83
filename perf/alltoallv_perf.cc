#include "perf/common/experts.h"
#include "perf/common/run.h"

namespace unirack::perf {
namespace {

// Unequal counts between every two ranks: nothing, half, one or one and a half times `count`; or,
// with
// --experts, what a mixture-of-experts layer dispatches.
class AllToAllV : public Collective {
 public:
  std::string_view name() const override { return "alltoallv_perf"; }
  std::string_view summary() const override {
    return "all-to-all with a count of its own for every two ranks";
  }
  std::string_view bus_formula() const override {
    return "algbw x (n-1)/n for n ranks, as if the counts were equal";
  }
  double bus_factor(int n) const override { return 1.0 * (n - 1) / n; }
  bool has_in_place() const override { return false; }
  bool synchronizes() const override { return false; }
  int blocks_per_size(int n) const override { return shape_.experts > 0 ? 1 : n; }
  size_t fixed_count() const override {
    return shape_.experts > 0 ? shape_.tokens * shape_.topk * shape_.hidden : 0;
  }
  std::vector<ExtraOption> extra_options() override {
    return {{"--experts", "dispatch to this many experts; sizes follow and -b, -e do not matter",
             &shape_.experts},
            {"--topk", "experts a token", &shape_.topk},
            {"--tokens", "tokens a rank", &shape_.tokens},
            {"--hidden", "elements a token", &shape_.hidden},
            {"--skew", "popularity of the experts: zipf or uniform", &shape_.skew}};
  }
  std::string validate(int rank_count) override {
    if (shape_.experts == 0) return {};
    if (std::string why = perf::validate(shape_); !why.empty()) return why;
    pairs_ = route_tokens(shape_, rank_count);
    return {};
  }

  Blocks inputs(const Call& call) const override {
    Blocks blocks;
    size_t offset = 0;
    for (int peer = 0; peer < call.rank_count; ++peer) {
      blocks.push_back({offset, count_between(call, call.rank, peer), call.rank, peer});
      offset += blocks.back().count;
    }
    return blocks;
  }
  Blocks outputs(const Call& call) const override {
    Blocks blocks;
    size_t offset = 0;
    for (int peer = 0; peer < call.rank_count; ++peer) {
      blocks.push_back({offset, count_between(call, peer, call.rank), peer, call.rank});
      offset += blocks.back().count;
    }
    return blocks;
  }
  unirackResult_t run(const Call& call, const void* send, void* recv,
                      unirackComm_t comm) const override {
    const Side sends(inputs(call));
    const Side receives(outputs(call));
    return unirackAlltoAllv(send, sends.counts.data(), sends.displacements.data(), recv,
                            receives.counts.data(), receives.displacements.data(), call.type, comm,
                            nullptr);
  }

 private:
  struct Side {
    explicit Side(const Blocks& blocks) {
      for (const Block& block : blocks) {
        counts.push_back(block.count);
        displacements.push_back(block.offset);
      }
    }
    std::vector<size_t> counts, displacements;
  };

  size_t count_between(const Call& call, int source, int target) const {
    const auto p = static_cast<size_t>(source);
    const auto q = static_cast<size_t>(target);
    const auto ranks = static_cast<size_t>(call.rank_count);
    if (shape_.experts > 0) return pairs_[p * ranks + q] * shape_.hidden;
    return call.count * ((p * 5 + q * 3 + 1) % 4) / 2;
  }

  ExpertShape shape_;
  std::vector<size_t> pairs_;
};

}  // namespace
}  // namespace unirack::perf

int main(int argc, char** argv) {
  unirack::perf::AllToAllV collective;
  return unirack::perf::perf_main(collective, argc, argv);
}
