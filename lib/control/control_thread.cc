#include "lib/control/control_thread.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/control/rank_list.h"

namespace unirack {
namespace {

constexpr Duration kIntervalMax = milliseconds(100);
constexpr Duration kVerdictGrace = milliseconds(100);
constexpr Duration kFarewell = milliseconds(300);
constexpr size_t kQuestionsMax = 4096;
constexpr size_t kEventsMax = 64;

FailureDetector::Options detector_options(const JoinRequest& request, Duration interval) {
  FailureDetector::Options options;
  options.peer_timeout = request.config->peer_timeout;
  options.interval = interval;
  options.describe = request.describe;
  if (!options.describe) {
    options.describe = [](uint64_t kind, uint64_t count) {
      return "request " + std::to_string(kind) + " x " + std::to_string(count);
    };
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<ControlThread>> ControlThread::create(const JoinRequest& request,
                                                             JoinedPool pool) {
  Poller poller = UNIRACK_TRY(Poller::create());
  const Duration interval =
      std::min<Duration>(Duration(request.config->peer_timeout) / 10, kIntervalMax);
  auto thread =
      std::make_unique<ControlThread>(request, std::move(pool), std::move(poller), interval);
  for (Rank rank = 0; rank < request.rank_count; ++rank) {
    Link& link = thread->link(rank);
    if (!link.channel) continue;
    UNIRACK_TRY(
        thread->poller_.add(link.channel->fd(), Interest::read, static_cast<uint64_t>(rank)));
  }
  return thread;
}

ControlThread::ControlThread(const JoinRequest& request, JoinedPool pool, Poller poller,
                             Duration interval)
    : rank_(request.rank),
      interval_(interval),
      poller_(std::move(poller)),
      answer_(request.answer),
      progress_(request.progress),
      on_verdict_(request.on_verdict),
      membership_(request.rank, request.rank_count, kVerdictGrace),
      detector_(membership_, detector_options(request, interval), now()),
      links_(static_cast<size_t>(request.rank_count)),
      early_frames_(std::move(pool.early_frames)),
      beat_at_(now()),
      progress_at_(now()),
      blobs_(request.rank, request.rank_count) {
  for (size_t i = 0; i < pool.channels.size(); ++i) links_[i].channel = std::move(pool.channels[i]);
}

void ControlThread::run() {
  for (const EarlyFrame& early : std::exchange(early_frames_, {})) {
    const TimePoint at = now();
    const Status status = on_frame(early.sender, early.type, early.payload, at);
    if (!status) lose(early.sender, status.error().detail, at);
  }
  std::array<PollEvent, kEventsMax> events;
  while (!over(now())) {
    const auto count = poller_.wait(events, wake_at());
    const TimePoint at = now();
    if (!count) break;
    for (const PollEvent& event : std::span(events).first(*count)) handle(event, at);
    run_tasks();
    turn(at);
  }
  end();
}

void ControlThread::turn(TimePoint at) {
  look_at_self(at);
  const bool kicked = kicked_.exchange(false, std::memory_order_acq_rel);
  const bool beat_due = at >= beat_at_;
  if (beat_due) beat(at);
  judge(at);
  check_exchange(at);
  if (kicked || beat_due || at >= progress_at_) run_progress(at);
}

TimePoint ControlThread::wake_at() const {
  if (leaving_) return leave_by_;
  TimePoint wake = std::min({beat_at_, progress_at_, exchange_deadline_});
  if (membership_.standing() == nullptr) return std::min(wake, detector_.next_check());
  return verdict() == nullptr ? std::min(wake, membership_.settles_by()) : wake;
}

bool ControlThread::over(TimePoint at) const {
  if (!leaving_) return false;
  return at >= leave_by_ || std::none_of(links_.begin(), links_.end(),
                                         [](const Link& link) { return link.channel.has_value(); });
}

bool ControlThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return false;
    tasks_.push_back(std::move(task));
  }
  poller_.wake();
  return true;
}

void ControlThread::kick() {
  if (!kicked_.exchange(true, std::memory_order_acq_rel)) poller_.wake();
}

void ControlThread::run_tasks() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const Task& task : tasks) task();
}

void ControlThread::end() {
  leaving_ = true;  // should the poller have failed
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  run_tasks();
  const Error left = make_error(Code::revoked, "this rank has left the pool", rank_);
  if (exchange_done_) std::exchange(exchange_done_, {})(left);
  for (Rank peer = 0; peer < membership_.rank_count(); ++peer) fail_questions(left, peer);
  for (Link& link : links_) link.channel.reset();
}

void ControlThread::exchange(BytesView mine, Deadline deadline, OnExchanged done) {
  if (verdict() != nullptr) return done(verdict()->error);
  if (leaving_ || exchange_done_) {
    return done(make_error(Code::invalid_usage, leaving_ ? "this rank has left the pool"
                                                         : "an exchange is in progress already"));
  }
  exchange_done_ = std::move(done);
  exchange_deadline_ = deadline;
  const uint64_t index = blobs_.start(mine);
  send_to_all(MessageType::exchange, encode_exchange(index, mine));
}

void ControlThread::check_exchange(TimePoint at) {
  if (!exchange_done_) return;
  const std::vector<Rank> missing = blobs_.missing();
  Result<std::vector<Blob>> result = std::vector<Blob>();
  if (missing.empty()) {
    result = blobs_.finish();
  } else if (verdict() != nullptr) {
    result = verdict()->error;
  } else if (at >= exchange_deadline_) {
    result = make_error(Code::timeout, "waited in vain for the exchange with " + rank_list(missing),
                        missing.front());
  } else {
    const auto gone = std::find_if(missing.begin(), missing.end(), [&](Rank rank) {
      return membership_.presence(rank) == Presence::left;
    });
    if (gone == missing.end()) return;
    result = make_error(Code::peer_failed, rank_list(std::span(&*gone, 1)) + " has left the pool",
                        *gone);
  }
  if (!result) blobs_.give_up();
  exchange_deadline_ = kNoDeadline;
  std::exchange(exchange_done_, {})(std::move(result));
}

void ControlThread::ask(Rank peer, Blob question, OnAnswer on_answer) {
  if (peer == rank_) return on_answer(answer(rank_, question));
  if (verdict() != nullptr) return on_answer(verdict()->error);
  if (peer < 0 || peer >= membership_.rank_count() || question.size() > kBlobBytesMax) {
    return on_answer(make_error(Code::invalid_argument, "expected a rank and at most 32 KiB"));
  }
  if (leaving_ || !link(peer).channel || membership_.presence(peer) != Presence::present) {
    return on_answer(make_error(
        Code::peer_failed, rank_list(std::span(&peer, 1)) + " is not in the pool any more", peer));
  }
  if (questions_.size() >= kQuestionsMax) {
    return on_answer(make_error(Code::resource_exhausted, "too many questions are unanswered"));
  }
  const uint64_t id = next_question_++;
  questions_.emplace(id, Question{peer, std::move(on_answer)});
  send(peer, MessageType::ask, encode_ask(id, question));
}

Result<ControlThread::Blob> ControlThread::answer(Rank asker, BytesView question) {
  if (!answer_) return make_error(Code::unavailable, "this rank answers no questions", rank_);
  Result<Blob> result = answer_(asker, question);
  if (result && result->size() > kBlobBytesMax) {
    return make_error(Code::resource_exhausted, "the answer is longer than 32 KiB", rank_);
  }
  return result;
}

void ControlThread::fail_questions(const Error& error, Rank peer) {
  std::vector<OnAnswer> failed;
  for (auto at = questions_.begin(); at != questions_.end();) {
    if (at->second.peer != peer) {
      ++at;
      continue;
    }
    failed.push_back(std::move(at->second.on_answer));
    at = questions_.erase(at);
  }
  for (const OnAnswer& on_answer : failed) on_answer(error);
}

void ControlThread::leave() {
  if (leaving_) return;
  look_at_self(now());
  send_to_all(MessageType::goodbye, encode_goodbye(self_.activity.sequence));
  leaving_ = true;
  leave_by_ = now() + kFarewell;
  for (Rank peer = 0; peer < membership_.rank_count(); ++peer) update_interest(peer);
}

void ControlThread::look_at_self(TimePoint at) {
  self_ = board_.read();
  // An exchange is an operation too: a peer that stops during it is noticed.
  Activity activity = self_.activity;
  activity.busy = activity.busy || exchange_done_ != nullptr;
  detector_.self(activity, self_.entered, at);
}

void ControlThread::beat(TimePoint at) {
  beat_at_ = at + interval_;
  for (Rank peer = 0; peer < membership_.rank_count(); ++peer) {
    // Who does not read is told no more than fits: or TCP would give the connection up.
    if (!detector_.is_silent(peer, at)) send_heartbeat(peer);
  }
}

void ControlThread::judge(TimePoint at) {
  if (leaving_) return;
  if (membership_.standing() == nullptr) {
    auto verdict = detector_.judge(at);
    if (verdict) membership_.judged(std::move(*verdict), at);
    const auto query = detector_.take_query();
    if (query) send_to_all(MessageType::query, encode_query(*query));
  }
  if (membership_.take_flood()) {
    send_to_all(MessageType::verdict, encode_verdict(*membership_.standing()));
  }
  if (verdict() == nullptr && membership_.settled(at)) publish_verdict();
}

void ControlThread::publish_verdict() {
  final_verdict_ = *membership_.standing();
  published_.store(&*final_verdict_, std::memory_order_release);
  for (Rank peer = 0; peer < membership_.rank_count(); ++peer) {
    fail_questions(final_verdict_->error, peer);
  }
  if (on_verdict_) on_verdict_();
}

void ControlThread::run_progress(TimePoint at) {
  progress_at_ = kNoDeadline;
  if (progress_ && !leaving_) progress_at_ = std::max(progress_(), at);
}

}  // namespace unirack
