#include "perf/common/expert_exchange.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "perf/common/buffer.h"
#include "perf/common/check.h"
#include "perf/common/measure.h"
#include "perf/common/statistics.h"
#include "perf/common/table.h"

namespace unirack::perf {
namespace {

using Token = api::Bfloat16;

// The state of one rank. `send_counts` are the router's; `recv_counts` arrive at run time.
class Exchange {
 public:
  Exchange(api::Communicator& communicator, const ExpertShape& shape)
      : communicator_(communicator),
        ranks_(static_cast<size_t>(communicator.size())),
        rank_(static_cast<size_t>(communicator.rank())),
        pairs_(route_tokens(shape, communicator.size())),
        hidden_(shape.hidden),
        oracle_(unirackBfloat16, std::nullopt, communicator.size(), 1) {
    for (size_t peer = 0; peer < ranks_; ++peer) {
      send_counts_.push_back(pairs_[rank_ * ranks_ + peer] * hidden_);
    }
    recv_counts_.resize(ranks_);
    sent_.resize(std::accumulate(send_counts_.begin(), send_counts_.end(), size_t{0}));
    back_.resize(sent_.size());
    fill_blocks(oracle_, dispatched(), sizeof(Token), bytes_of(sent_));
  }

  api::Status run_once() {
    std::vector<uint64_t> mine(send_counts_.begin(), send_counts_.end());
    std::vector<uint64_t> theirs(ranks_);
    if (api::Status status = communicator_.barrier(); !status) return status;
    const double start = now_us();
    if (api::Status status = communicator_.all_to_all(mine, theirs); !status) return status;
    std::copy(theirs.begin(), theirs.end(), recv_counts_.begin());
    counts_us = now_us() - start;
    // Room for what comes is made, and poisoned, outside the timed parts.
    received_.resize(std::accumulate(recv_counts_.begin(), recv_counts_.end(), size_t{0}));
    poison(received_);
    poison(back_);
    if (api::Status status = communicator_.barrier(); !status) return status;

    const double dispatch_start = now_us();
    if (api::Status status =
            communicator_.all_to_all_v(sent_, send_counts_, received_, recv_counts_);
        !status) {
      return status;
    }
    dispatch_us = now_us() - dispatch_start;
    plan = plan_of(communicator_.explain());
    wrong += count_wrong(oracle_, arrived(), sizeof(Token), bytes_of(received_)).count;
    if (api::Status status = communicator_.barrier(); !status) return status;

    const double combine_start = now_us();
    if (api::Status status =
            communicator_.all_to_all_v(received_, recv_counts_, back_, send_counts_);
        !status) {
      return status;
    }
    combine_us = now_us() - combine_start;
    wrong += count_wrong(oracle_, dispatched(), sizeof(Token), bytes_of(back_)).count;
    return api::Unit{};
  }

  size_t bytes() const { return sent_.size() * sizeof(Token); }
  size_t bytes_max() const {
    size_t most = 0;
    for (size_t target = 0; target < ranks_; ++target) {
      size_t sum = 0;
      for (size_t source = 0; source < ranks_; ++source) sum += pairs_[source * ranks_ + target];
      most = std::max(most, sum * hidden_ * sizeof(Token));
    }
    return most;
  }

  double counts_us = 0, dispatch_us = 0, combine_us = 0;
  size_t wrong = 0;
  std::string plan;

 private:
  static std::byte* bytes_of(std::vector<Token>& tokens) {
    return reinterpret_cast<std::byte*>(tokens.data());
  }
  static void poison(std::vector<Token>& tokens) {
    if (tokens.empty()) return;
    std::memset(tokens.data(), std::to_integer<int>(kPoison), tokens.size() * sizeof(Token));
  }
  Blocks dispatched() const {
    Blocks blocks;
    size_t offset = 0;
    for (size_t peer = 0; peer < ranks_; ++peer) {
      const size_t count = pairs_[rank_ * ranks_ + peer] * hidden_;
      blocks.push_back({offset, count, static_cast<int>(rank_), static_cast<int>(peer)});
      offset += count;
    }
    return blocks;
  }
  Blocks arrived() const {
    Blocks blocks;
    size_t offset = 0;
    for (size_t peer = 0; peer < ranks_; ++peer) {
      const size_t count = pairs_[peer * ranks_ + rank_] * hidden_;
      blocks.push_back({offset, count, static_cast<int>(peer), static_cast<int>(rank_)});
      offset += count;
    }
    return blocks;
  }

  api::Communicator& communicator_;
  size_t ranks_;
  size_t rank_;
  std::vector<size_t> pairs_;
  size_t hidden_;
  Oracle oracle_;
  std::vector<size_t> send_counts_, recv_counts_;
  std::vector<Token> sent_, received_, back_;
};

}  // namespace

api::Result<ExpertRow> run_expert_exchange(api::Communicator& communicator,
                                           const ExpertModel& model, size_t repetitions) {
  Exchange exchanged(communicator, model.shape);
  std::vector<double> counts_us, dispatch_us, combine_us;
  for (size_t i = 0; i <= repetitions; ++i) {
    if (api::Status status = exchanged.run_once(); !status) return status.error();
    if (i == 0) continue;
    counts_us.push_back(exchanged.counts_us);
    dispatch_us.push_back(exchanged.dispatch_us);
    combine_us.push_back(exchanged.combine_us);
  }
  ExpertRow row;
  row.bytes = exchanged.bytes();
  row.bytes_max = exchanged.bytes_max();
  row.plan = exchanged.plan;
  const unirackComm_t comm = communicator.handle();
  for (auto [samples, target] :
       {std::pair(&counts_us, &row.counts_us), std::pair(&dispatch_us, &row.dispatch_us),
        std::pair(&combine_us, &row.combine_us)}) {
    auto all = gather_from_ranks(comm, *samples);
    if (!all) return all.error();
    *target = median(*all);
  }
  auto wrong = sum_over_ranks(comm, exchanged.wrong);
  if (!wrong) return wrong.error();
  row.wrong = *wrong;
  return row;
}

}  // namespace unirack::perf
