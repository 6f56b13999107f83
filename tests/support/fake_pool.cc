#include "tests/support/fake_pool.h"

#include <atomic>
#include <utility>

namespace unirack::testing {

class FakeControl : public ControlPlane {
 public:
  FakeControl(FakePool& pool, Rank rank) : pool_(pool), rank_(rank) {}

  std::span<const std::byte> card(Rank rank) const override {
    return pool_.requests_[static_cast<size_t>(rank)].card;
  }
  uint64_t instance() const override { return 1; }
  Result<std::vector<std::vector<std::byte>>> exchange(std::span<const std::byte> mine,
                                                       Deadline /*deadline*/) override {
    return pool_.exchange(rank_, round_++, mine);
  }
  void ask(Rank peer, std::span<const std::byte> question,
           std::function<void(Result<std::vector<std::byte>>)> on_answer) override {
    on_answer(pool_.requests_[static_cast<size_t>(peer)].answer(rank_, question));
  }
  void publish(const Activity& /*activity*/) override {}
  const Verdict* verdict() const override { return pool_.verdict_.load(std::memory_order_acquire); }
  void report(uint64_t sequence, Error error) override { pool_.report(sequence, error); }
  void report_mismatch(uint64_t sequence) override {
    pool_.report(sequence, make_error(Code::mismatch, "somebody called something else"));
  }
  void report_stall(uint64_t sequence, Rank peer) override {
    pool_.report(sequence, make_error(Code::timeout, "somebody is late", peer));
  }
  void kick() override {}
  void leave() override {}

 private:
  FakePool& pool_;
  const Rank rank_;
  uint64_t round_ = 0;
};

std::unique_ptr<ControlPlane> FakePool::join(JoinRequest request) {
  const Rank rank = request.rank;
  std::unique_lock lock(mutex_);
  requests_[static_cast<size_t>(rank)] = std::move(request);
  ++joined_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return joined_ >= requests_.size(); });
  return std::make_unique<FakeControl>(*this, rank);
}

std::vector<std::vector<std::byte>> FakePool::exchange(Rank rank, uint64_t number,
                                                       std::span<const std::byte> mine) {
  std::unique_lock lock(mutex_);
  Round& round = rounds_[number];
  round.blobs.resize(requests_.size());
  round.blobs[static_cast<size_t>(rank)].assign(mine.begin(), mine.end());
  ++round.count;
  changed_.notify_all();
  changed_.wait(lock, [&] { return round.count == requests_.size(); });
  return round.blobs;
}

void FakePool::report(uint64_t sequence, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (verdict_.load(std::memory_order_relaxed) != nullptr) return;
    first_verdict_ = {sequence, error};
    verdict_.store(&first_verdict_, std::memory_order_release);
  }
  for (const JoinRequest& request : requests_) request.on_verdict();
}

}  // namespace unirack::testing
