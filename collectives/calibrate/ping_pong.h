// Two ranks time the link between them, over the connections and the scratch memory that they will
// use: the leader sends, takes the time and says when it is enough; the follower answers each
// message. When both have returned without an error nothing of theirs is under way any more.
//
// Before the engine has the fabric, on the thread that makes the communicator. Waiting ends with
// the pool's verdict, with a broken connection or with the deadline, and the error names the peer.
#pragma once

#include <vector>

#include "collectives/calibrate/fit.h"
#include "collectives/fabric.h"
#include "lib/base/clock.h"
#include "lib/control/control_plane.h"

namespace unirack {

class PingPong {
 public:
  // `turn` tells what this pool measures one after the other apart, above 0. The fabric and the
  // control plane outlive it.
  PingPong(const Fabric& fabric, const ControlPlane& control, Rank peer, uint32_t turn,
           Deadline deadline);

  // For about `time`. Bytes are those of one rail.
  Result<std::vector<RoundTrip>> lead(Duration time);
  Status follow();

 private:
  enum class Command : uint8_t { one_path, all_paths, stop };

  uint64_t value_of(Command command) const;
  uint64_t word(uint64_t offset) const;
  size_t path_count() const;
  uint64_t room() const;
  Status post(size_t path, uint64_t bytes, uint64_t word_offset, uint64_t value, Token token);
  Result<bool> poll();
  Status stand_still(int turns, TimePoint& since);
  template <class IsTrue>
  Status wait_until(const IsTrue& is_true);

  Result<uint64_t> time_ps(Command command, uint32_t messages, uint64_t bytes);
  Status warm_up(Deadline until);
  Status find_sizes(Duration time);
  Status time_all(Deadline until);
  Result<uint64_t> time_size(size_t index);

  const Fabric& fabric_;
  const ControlPlane& control_;
  const PeerLink& link_;
  Transport& transport_;
  const Rank peer_;
  const uint32_t turn_;
  const Deadline deadline_;
  uint64_t round_ = 0;
  size_t size_count_ = 0;  // how many sizes there is time for
  bool is_sent_ = false;   // the token of the last answer has completed
  std::vector<RoundTrip> trips_;
};

}  // namespace unirack
