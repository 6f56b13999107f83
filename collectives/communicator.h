// One rank's handle on a pool: joins it, checks calls, chooses plans, hands them to the engine.
//
// Owns the control plane and the engine, hence everything below. One thread at a time, except
// abort(), failure() and last_error(), which any thread may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "collectives/calibrate/calibrate.h"
#include "collectives/engine.h"
#include "collectives/layout.h"
#include "collectives/planner.h"
#include "lib/base/config.h"
#include "lib/base/result.h"
#include "lib/control/control_plane.h"
#include "lib/control/unique_id.h"

namespace unirack {

// One call as the C interface has it, in bytes and plain pointers.
struct Call {
  Request request;
  const std::byte* send = nullptr;
  std::byte* receive = nullptr;
  VectorExtents extents;     // all_to_all_v
  uint64_t scalar_bits = 0;  // premul_sum
  bool is_send = false;      // send_recv: which half
  Rank peer = kNoRank;       // send_recv
  milliseconds timeout{0};   // 0: the default
};

// Fills the extents of an all_to_all_v from counts and displacements in elements, one a rank.
Status set_extents(Call& call, std::span<const size_t> send_counts,
                   std::span<const size_t> send_offsets, std::span<const size_t> receive_counts,
                   std::span<const size_t> receive_offsets);
// A user's scalar as bits of the accumulator type.
uint64_t scalar_bits(DataType type, const std::byte* scalar);
// Opens a rendezvous in this process, or names the one of the environment.
Result<UniqueId> open_pool(const Config& config);
// The C interface has no handle that could own a rendezvous, so the process keeps it until its work
// is done.
void keep_rendezvous(std::unique_ptr<Rendezvous> rendezvous);

class Communicator {
 public:
  // What a pool that all ranks were in before has found out, so that nobody looks again.
  struct Known {
    std::vector<std::byte> machine_view;
    std::optional<Calibration> calibration;
  };
  static Result<std::unique_ptr<Communicator>> create(const UniqueId& id, Rank rank, int rank_count,
                                                      Config config, Known known = {});
  ~Communicator();

  Rank rank() const { return rank_; }
  int rank_count() const { return rank_count_; }
  const Config& config() const { return config_; }
  Engine& engine() { return *engine_; }
  // What plans are priced by; the same on all ranks.
  const Calibration& calibration() const { return calibration_; }

  // Checks the call, plans it and starts it; the id is the engine's.
  Result<uint64_t> start(Call call);
  // Starts the calls of a group: sends and receives first, in an order that no two ranks see
  // differently, then collectives as issued.
  Status start_group(std::vector<Call> calls, std::vector<uint64_t>& ids);
  Status run(Call call);

  // A scalar for premul_sum; the number stands for it in Call::request.op users.
  int add_scalar(DataType type, uint64_t bits);
  Status remove_scalar(int handle);
  std::optional<uint64_t> scalar(int handle, DataType type) const;

  // Ranks of equal color join a new pool; a negative color only takes part.
  Result<std::unique_ptr<Communicator>> split(int color, int key, const Config& config);
  void abort();
  // The verdict that stands, if any.
  std::optional<Error> failure() const;

  // The plan of the last operation, and what every other would have taken.
  std::string explain();
  std::string describe() const;

 private:
  Communicator(Rank rank, int rank_count, Config config);

  Status agree_on_plans(Deadline deadline);
  Status check(const Call& call) const;
  Status check_overlap(const Call& call) const;
  Status copy_to_self(std::vector<Call>& calls);
  Result<std::shared_ptr<const Schedule>> plan(const Request& request);
  void complete_request(Call& call);
  Result<std::vector<std::byte>> gather_all(std::span<const std::byte> mine);

  const Rank rank_;
  const int rank_count_;
  const Config config_;
  Calibration calibration_;
  std::unique_ptr<ControlPlane> control_;
  std::unique_ptr<Engine> engine_;
  std::atomic<Engine*> serving_ = nullptr;  // set while callbacks may use the engine

  using PlanKey = std::pair<uint64_t, uint64_t>;  // packed request, count
  std::optional<Planner> planner_;
  std::map<PlanKey, std::shared_ptr<const Schedule>> plans_;
  std::optional<Request> last_request_;
  std::map<int, std::pair<DataType, uint64_t>> scalars_;
  int next_scalar_ = 0;
};

}  // namespace unirack
