#include "collectives/communicator.h"

#include <algorithm>
#include <map>
#include <thread>
#include <tuple>

#include "collectives/plan/crowding.h"
#include "collectives/record.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/memory/copy.h"

namespace unirack {

namespace {

// Plans kept; beyond it all are forgotten, which only costs making them again.
constexpr size_t kPlansMax = 1024;

Policy make_policy(const Config& config, const Topology& topology) {
  Policy policy;
  policy.reassociate = config.reassociate;
  for (const ForcedAlgorithm& forced : config.algorithms) {
    policy.forced.emplace_back(forced.collective, forced.algorithm);
  }
  policy.scratch_bytes = config.scratch_bytes;
  policy.tile_bytes = config.tile_bytes;
  if (topology.domains().size() > 1) {
    // One a connection; links with fewer rails than others have lanes that share a connection.
    const auto rails = static_cast<int>(topology.rail_count());
    policy.lanes = (config.tcp_connections + rails - 1) / rails * rails;
    policy.lanes = std::min(policy.lanes, static_cast<int>(kLanesMax));
  }
  return policy;
}

}  // namespace

Communicator::Communicator(Rank rank, int rank_count, Config config)
    : rank_(rank), rank_count_(rank_count), config_(std::move(config)) {}

Result<std::unique_ptr<Communicator>> Communicator::create(const UniqueId& id, Rank rank,
                                                           int rank_count, Config config,
                                                           Known known) {
  if (rank_count < 1 || rank < 0 || rank >= rank_count) {
    return make_error(Code::invalid_argument, "rank " + std::to_string(rank) + " of " +
                                                  std::to_string(rank_count) +
                                                  ": expected a rank from 0 to rank_count - 1");
  }
  std::unique_ptr<Communicator> self(new Communicator(rank, rank_count, std::move(config)));
  const Deadline deadline = deadline_in(self->config_.join_timeout);
  TransportContext context;
  context.rank = rank;
  context.rank_count = rank_count;
  context.instance = hash64(id.key().view());
  context.job_key = id.key().view();
  context.config = &self->config_;
  auto fabric = UNIRACK_TRY(Fabric::open(context));
  fabric->machine_view = std::move(known.machine_view);
  Communicator* const borrowed = self.get();
  JoinRequest join;
  join.id = id;
  join.rank = rank;
  join.rank_count = rank_count;
  join.card = encode_card(fabric->card(self->config_.domain));
  join.config = &self->config_;
  join.keep_rendezvous = keep_rendezvous;
  join.describe = describe_request;
  join.answer = [borrowed](Rank, std::span<const std::byte> question) {
    Engine* engine = borrowed->serving_.load(std::memory_order_acquire);
    if (engine != nullptr) return engine->answer(question);
    return Result<std::vector<std::byte>>(make_error(Code::unavailable, "still joining"));
  };
  join.progress = [borrowed] {
    Engine* engine = borrowed->serving_.load(std::memory_order_acquire);
    return engine != nullptr ? engine->background() : kNoDeadline;
  };
  join.on_verdict = [borrowed] {
    Engine* engine = borrowed->serving_.load(std::memory_order_acquire);
    if (engine != nullptr) engine->wake();
  };
  self->control_ = UNIRACK_TRY(ControlPlane::join(join));
  UNIRACK_TRY(fabric->connect(*self->control_, self->config_, deadline));
  self->calibration_ =
      known.calibration ? *known.calibration
                        : UNIRACK_TRY(calibrate(*fabric, *self->control_, self->config_, deadline));
  self->engine_ = UNIRACK_TRY(Engine::create(std::move(fabric), *self->control_, self->config_));
  self->serving_.store(self->engine_.get(), std::memory_order_release);
  // Nobody starts before every rank serves.
  UNIRACK_TRY(self->agree_on_plans(deadline));
  return self;
}

// All make the planner of the same views, costs and settings. The odd one out is named: it differs
// from most, or where as many differ, from the lowest rank.
Status Communicator::agree_on_plans(Deadline deadline) {
  const Topology& topology = engine_->topology();
  const Costs priced = crowded(calibration_.costs, crowding_percent(topology));
  planner_ = UNIRACK_TRY(Planner::make(topology, priced, make_policy(config_, topology)));
  std::vector<std::byte> mine;
  Writer writer(mine);
  writer.put(topology.graph().hash());
  writer.put(planner_->hash());
  const auto all = UNIRACK_TRY(control_->exchange(mine, deadline));
  std::map<std::vector<std::byte>, int> alike;
  for (const auto& one : all) ++alike[one];
  const auto usual = std::max_element(
      all.begin(), all.end(), [&](const auto& a, const auto& b) { return alike[a] < alike[b]; });
  const auto odd =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one != *usual; });
  if (odd == all.end()) return ok_status();
  const auto culprit = static_cast<Rank>(odd - all.begin());
  const bool is_graph = !std::equal(odd->begin(), odd->begin() + sizeof(uint64_t), usual->begin());
  return make_error(Code::mismatch,
                    "rank " + std::to_string(culprit) +
                        (is_graph ? " has made another graph of the pool than the others"
                                  : " plans otherwise than the others: expected equal UNIRACK_* "
                                    "settings and costs on all ranks"),
                    culprit);
}

Communicator::~Communicator() {
  if (control_ != nullptr) control_->leave();
  serving_.store(nullptr, std::memory_order_release);
  control_.reset();  // ends the control thread, which uses the engine
  engine_.reset();
}

Result<std::shared_ptr<const Schedule>> Communicator::plan(const Request& request) {
  const PlanKey key(pack_request(request), request.count);
  last_request_ = request;
  if (const auto known = plans_.find(key); known != plans_.end()) return known->second;
  if (plans_.size() >= kPlansMax) plans_.clear();
  auto schedule = UNIRACK_TRY(planner_->plan(request));
  plans_.emplace(key, schedule);
  // What was asked for is shown whatever the log level; one rank speaks for all.
  if (config_.explain && rank_ == 0) {
    Logger(LogLevel::info, rank_)
        .info(Subsystem::plan, "{}: {}", describe_request(key.first, key.second), explain());
  }
  return schedule;
}

Result<uint64_t> Communicator::start(Call call) {
  UNIRACK_TRY(check(call));
  complete_request(call);
  Launch launch;
  launch.request = call.request;
  launch.schedule = UNIRACK_TRY(plan(call.request));
  launch.input = call.send;
  launch.output = call.receive;
  launch.extents = std::move(call.extents);
  launch.scalar_bits = call.scalar_bits;
  const milliseconds timeout = call.timeout.count() > 0 ? call.timeout : config_.op_timeout;
  launch.deadline = deadline_in(timeout);
  if (call.request.collective == Collective::send_recv) {
    launch.members = {rank_, call.peer};
    if (!call.is_send) std::swap(launch.members[0], launch.members[1]);
  }
  return engine_->submit(std::move(launch));
}

Status Communicator::run(Call call) {
  const uint64_t id = UNIRACK_TRY(start(std::move(call)));
  return engine_->wait(id);
}

Status Communicator::start_group(std::vector<Call> calls, std::vector<uint64_t>& ids) {
  UNIRACK_TRY(copy_to_self(calls));
  // Both ends of a pair must meet in the same order: pairs by rank, and within a pair the i-th
  // message of the lower rank before the i-th of the higher.
  struct Key {
    bool collective;
    Rank low, high;
    size_t index;
    bool from_high;
    auto operator<=>(const Key&) const = default;
  };
  std::map<std::tuple<Rank, bool>, size_t> counts;
  std::vector<std::pair<Key, size_t>> order;
  for (size_t i = 0; i < calls.size(); ++i) {
    const Call& call = calls[i];
    if (call.request.collective != Collective::send_recv) {
      order.push_back({{true, 0, 0, i, false}, i});
      continue;
    }
    const size_t index = counts[{call.peer, call.is_send}]++;
    const Rank sender = call.is_send ? rank_ : call.peer;
    const Rank low = std::min(rank_, call.peer);
    const Rank high = std::max(rank_, call.peer);
    order.push_back({{false, low, high, index, sender == high}, i});
  }
  std::sort(order.begin(), order.end());
  for (const auto& [key, index] : order) {
    ids.push_back(UNIRACK_TRY(start(std::move(calls[index]))));
  }
  return ok_status();
}

// Messages of a rank to itself: the i-th send meets the i-th receive.
Status Communicator::copy_to_self(std::vector<Call>& calls) {
  std::vector<Call*> sends;
  std::vector<Call*> receives;
  for (Call& call : calls) {
    if (call.request.collective != Collective::send_recv || call.peer != rank_) continue;
    UNIRACK_TRY(check(call));
    (call.is_send ? sends : receives).push_back(&call);
  }
  if (sends.size() != receives.size()) {
    return make_error(Code::invalid_usage,
                      "a message to oneself needs its send and its receive in one group");
  }
  for (size_t i = 0; i < sends.size(); ++i) {
    const Request& from = sends[i]->request;
    const Request& to = receives[i]->request;
    if (from.count != to.count || from.type != to.type) {
      return make_error(Code::mismatch, "a send to oneself differs from its receive", rank_);
    }
    copy_bytes(receives[i]->receive, sends[i]->send, from.count * size_of(from.type));
  }
  std::erase_if(calls, [&](const Call& call) {
    return call.request.collective == Collective::send_recv && call.peer == rank_;
  });
  return ok_status();
}

int Communicator::add_scalar(DataType type, uint64_t bits) {
  scalars_[next_scalar_] = {type, bits};
  return next_scalar_++;
}

Status Communicator::remove_scalar(int handle) {
  if (scalars_.erase(handle) == 1) return ok_status();
  return make_error(Code::invalid_argument, "no such reduction operator in this communicator");
}

std::optional<uint64_t> Communicator::scalar(int handle, DataType type) const {
  const auto at = scalars_.find(handle);
  if (at == scalars_.end() || at->second.first != type) return std::nullopt;
  return at->second.second;
}

void Communicator::abort() {
  control_->report(
      0, make_error(Code::revoked, "rank " + std::to_string(rank_) + " aborted the communicator",
                    rank_));
  // Once it stands it has been told to all: this rank may leave at once.
  const Deadline deadline = deadline_in(std::chrono::seconds(1));
  while (control_->verdict() == nullptr && !expired(deadline)) std::this_thread::yield();
}

std::optional<Error> Communicator::failure() const {
  const Verdict* verdict = control_->verdict();
  if (verdict == nullptr) return std::nullopt;
  return verdict->error;
}

std::string Communicator::describe() const {
  return engine_->fabric().describe() + to_text(calibration_) + "\n";
}

std::string Communicator::explain() {
  if (!last_request_) return "no operation yet\n";
  const Result<Choice> choice = planner_->choose(*last_request_);
  if (!choice) return choice.error().detail;
  std::string transports;
  for (const Fabric::Open& open : engine_->fabric().transports) {
    if (open.transport == nullptr) continue;
    const auto& links = engine_->fabric().links;
    const bool used = std::any_of(links.begin(), links.end(), [&](const PeerLink& link) {
      return !link.paths.empty() &&
             engine_->fabric().transports[link.transport].transport == open.transport;
    });
    if (used) transports += (transports.empty() ? "" : ",") + std::string(open.transport->name());
  }
  return "transport=" + (transports.empty() ? "none" : transports) + " " + choice->explain + "  " +
         to_text(calibration_) + "\n";
}

}  // namespace unirack
