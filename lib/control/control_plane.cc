#include "lib/control/control_plane.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "lib/base/random.h"
#include "lib/base/thread.h"
#include "lib/control/control_thread.h"
#include "lib/control/joiner.h"

namespace unirack {
namespace {

using Blob = ControlThread::Blob;

// Hands one value from the control thread to a thread that waits for it.
template <class T>
class Handover {
 public:
  void put(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    ready_.notify_one();
  }
  T take() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return value_.has_value(); });
    return std::move(*value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<T> value_;
};

class JoinedControlPlane final : public ControlPlane {
 public:
  JoinedControlPlane(uint64_t instance, std::vector<Blob> cards,
                     std::unique_ptr<ControlThread> control, std::thread thread)
      : instance_(instance),
        cards_(std::move(cards)),
        control_(std::move(control)),
        thread_(std::move(thread)) {}
  ~JoinedControlPlane() override { JoinedControlPlane::leave(); }

  std::span<const std::byte> card(Rank rank) const override {
    return cards_[static_cast<size_t>(rank)];
  }
  uint64_t instance() const override { return instance_; }

  Result<std::vector<Blob>> exchange(std::span<const std::byte> mine, Deadline deadline) override;
  void ask(Rank peer, std::span<const std::byte> question,
           std::function<void(Result<Blob>)> on_answer) override;
  void publish(const Activity& activity) override { control_->publish(activity); }
  const Verdict* verdict() const override { return control_->verdict(); }
  void report(uint64_t sequence, Error error) override {
    control_->post(
        [this, sequence, error = std::move(error)] { control_->report(sequence, error); });
  }
  void report_mismatch(uint64_t sequence) override {
    control_->post([this, sequence] { control_->report_mismatch(sequence); });
  }
  void report_stall(uint64_t sequence, Rank peer) override {
    control_->post([this, sequence, peer] { control_->report_stall(sequence, peer); });
  }
  void kick() override { control_->kick(); }
  void leave() override;

 private:
  uint64_t instance_;
  std::vector<Blob> cards_;
  std::unique_ptr<ControlThread> control_;
  std::mutex leave_mutex_;
  std::thread thread_;
};

Result<std::vector<Blob>> JoinedControlPlane::exchange(std::span<const std::byte> mine,
                                                       Deadline deadline) {
  if (mine.size() > kBlobBytesMax) {
    return make_error(Code::invalid_argument, "expected at most 32 KiB to exchange");
  }
  Handover<Result<std::vector<Blob>>> handover;
  const bool posted = control_->post([&] {
    control_->exchange(mine, deadline,
                       [&](Result<std::vector<Blob>> result) { handover.put(std::move(result)); });
  });
  if (!posted) return make_error(Code::invalid_usage, "this rank has left the pool");
  return handover.take();
}

void JoinedControlPlane::ask(Rank peer, std::span<const std::byte> question,
                             std::function<void(Result<Blob>)> on_answer) {
  // Not moved into the task: if the thread has ended, the answer is given here.
  const bool posted =
      control_->post([this, peer, on_answer, copy = Blob(question.begin(), question.end())] {
        control_->ask(peer, copy, on_answer);
      });
  if (!posted) on_answer(make_error(Code::invalid_usage, "this rank has left the pool"));
}

void JoinedControlPlane::leave() {
  const std::lock_guard lock(leave_mutex_);
  if (!thread_.joinable()) return;
  control_->post([this] { control_->leave(); });
  thread_.join();
}

Status check(const JoinRequest& request) {
  if (request.config == nullptr || request.rank_count < 1 || request.rank_count > kRanksMax ||
      request.rank < 0 || request.rank >= request.rank_count) {
    return make_error(Code::invalid_argument, "expected a rank below the rank count, found rank " +
                                                  std::to_string(request.rank) + " of " +
                                                  std::to_string(request.rank_count));
  }
  if (request.card.size() > kCardBytesMax) {
    return make_error(Code::invalid_argument, "a card has at most 16 KiB");
  }
  if (request.rank_count > 1 && request.id.addresses().empty()) {
    return make_error(Code::invalid_argument, "the unique id names no rendezvous");
  }
  return ok_status();
}

// A pool of one that nobody else could join needs no sockets.
Result<JoinedPool> lonely_pool(const JoinRequest& request) {
  JoinedPool pool;
  UNIRACK_TRY(fill_random(std::as_writable_bytes(std::span(&pool.instance, 1))));
  pool.channels.resize(1);
  pool.cards.push_back(request.card);
  return pool;
}

}  // namespace

Result<std::unique_ptr<ControlPlane>> ControlPlane::join(const JoinRequest& request) {
  UNIRACK_TRY(check(request));
  JoinedPool pool =
      UNIRACK_TRY(request.id.addresses().empty() ? lonely_pool(request) : join_pool(request));
  const uint64_t instance = pool.instance;
  std::vector<Blob> cards = std::move(pool.cards);
  auto control = UNIRACK_TRY(ControlThread::create(request, std::move(pool)));
  ControlThread* body = control.get();
  std::thread thread = UNIRACK_TRY(start_thread("unirack-ctrl", [body] { body->run(); }));
  return std::unique_ptr<ControlPlane>(std::make_unique<JoinedControlPlane>(
      instance, std::move(cards), std::move(control), std::move(thread)));
}

}  // namespace unirack
