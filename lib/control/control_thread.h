// The thread behind a ControlPlane: sleeps in epoll, reads the peers' frames, feeds the pure
// machines and does what they say. Other threads reach it only through post(), kick(), publish()
// and verdict(); everything else runs on it, as tasks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "lib/control/activity_board.h"
#include "lib/control/blob_exchange.h"
#include "lib/control/channel.h"
#include "lib/control/control_plane.h"
#include "lib/control/failure_detector.h"
#include "lib/control/joiner.h"
#include "lib/control/membership.h"
#include "lib/net/poller.h"

namespace unirack {

class ControlThread {
 public:
  using Blob = std::vector<std::byte>;
  using Task = std::function<void()>;
  using OnExchanged = std::function<void(Result<std::vector<Blob>>)>;
  using OnAnswer = std::function<void(Result<Blob>)>;

  static Result<std::unique_ptr<ControlThread>> create(const JoinRequest& request, JoinedPool pool);
  // Made by create().
  ControlThread(const JoinRequest& request, JoinedPool pool, Poller poller, Duration interval);

  // The thread's body; returns once it has left.
  void run();

  // ---- Any thread ----
  // False once the thread has ended: the task will not run.
  bool post(Task task);
  void kick();
  void publish(const Activity& activity) { board_.publish(activity); }
  const Verdict* verdict() const { return published_.load(std::memory_order_acquire); }

  // ---- Tasks ----
  void exchange(BytesView mine, Deadline deadline, OnExchanged done);
  void ask(Rank peer, Blob question, OnAnswer on_answer);
  void report(uint64_t sequence, Error error) {
    detector_.report(sequence, std::move(error), now());
  }
  void report_mismatch(uint64_t sequence) { detector_.report_mismatch(sequence, now()); }
  void report_stall(uint64_t sequence, Rank peer) { detector_.report_stall(sequence, peer, now()); }
  void leave();

 private:
  struct Link {
    std::optional<Channel> channel;
    uint32_t query_seen = 0;
    bool shut_down = false;
  };
  struct Question {
    Rank peer;
    OnAnswer on_answer;
  };

  void turn(TimePoint at);
  TimePoint wake_at() const;
  bool over(TimePoint at) const;
  void run_tasks();
  void end();

  // control_links.cc: the connections.
  Link& link(Rank rank) { return links_[static_cast<size_t>(rank)]; }
  void handle(const PollEvent& event, TimePoint at);
  void receive(Rank peer, TimePoint at);
  Status on_frame(Rank peer, MessageType type, BytesView payload, TimePoint at);
  Status on_verdict(Rank peer, BytesView payload, TimePoint at);
  Status on_ask(Rank peer, BytesView payload);
  Status on_answer(Rank peer, BytesView payload);
  void lose(Rank peer, const std::string& how, TimePoint at);
  void send(Rank peer, MessageType type, const Payload& payload);
  void send_to_all(MessageType type, const Payload& payload);
  void update_interest(Rank peer);
  void send_heartbeat(Rank peer);

  // control_thread.cc: what is derived from what was heard.
  void look_at_self(TimePoint at);
  void beat(TimePoint at);
  void judge(TimePoint at);
  void publish_verdict();
  void check_exchange(TimePoint at);
  void run_progress(TimePoint at);
  Result<Blob> answer(Rank asker, BytesView question);
  void fail_questions(const Error& error, Rank peer);

  Rank rank_;
  Duration interval_;
  Poller poller_;
  std::function<Result<Blob>(Rank, BytesView)> answer_;
  std::function<TimePoint()> progress_;
  std::function<void()> on_verdict_;

  Membership membership_;
  FailureDetector detector_;
  ActivityBoard board_;
  ActivityBoard::Snapshot self_;
  std::vector<Link> links_;  // by rank
  std::vector<EarlyFrame> early_frames_;
  TimePoint beat_at_;
  TimePoint progress_at_;

  BlobExchange blobs_;
  OnExchanged exchange_done_;  // set while an exchange is in progress
  Deadline exchange_deadline_ = kNoDeadline;

  std::map<uint64_t, Question> questions_;
  uint64_t next_question_ = 1;

  std::optional<Verdict> final_verdict_;
  std::atomic<const Verdict*> published_{nullptr};

  bool leaving_ = false;
  Deadline leave_by_ = kNoDeadline;

  std::atomic<bool> kicked_{false};
  std::mutex mutex_;  // guards what follows
  std::vector<Task> tasks_;
  bool ended_ = false;
};

}  // namespace unirack
