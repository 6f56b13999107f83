// The meeting point of one pool: a listener and a thread that runs Bootstrap until every rank has
// been told to go, or why not. Opened by the process that makes the unique id, or by rank 0 at the
// address of UNIRACK_RENDEZVOUS.
//
// Belongs to whoever opened it, and should live until running() is false: destroying it earlier
// closes it, and ranks that are still joining, or come late and would have been told what went
// wrong, meet a closed connection. Several pools have several. Before the first member of the job
// calls there is no deadline.
#pragma once

#include <memory>
#include <thread>

#include "lib/base/config.h"
#include "lib/base/unique_fd.h"
#include "lib/control/unique_id.h"

namespace unirack {

class RendezvousLoop;

class Rendezvous {
 public:
  struct Opened;

  // Listens on the chosen interfaces; the id names where.
  static Result<Opened> open(const Config& config);
  // Listens where the id says. Code::unavailable if the port is taken.
  static Result<std::unique_ptr<Rendezvous>> open_at(const UniqueId& id, const Config& config);

  // Made by open() and open_at().
  Rendezvous(std::unique_ptr<RendezvousLoop> loop, UniqueFd leash);
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  // False once its work is done.
  bool running() const;

 private:
  static Result<std::unique_ptr<Rendezvous>> prepare(const SecretKey& key, const Config& config);
  Status start();

  std::unique_ptr<RendezvousLoop> loop_;  // the thread's
  UniqueFd leash_;                        // the thread stops when this closes
  std::thread thread_;
};

struct Rendezvous::Opened {
  std::unique_ptr<Rendezvous> rendezvous;
  UniqueId id;
};

}  // namespace unirack
