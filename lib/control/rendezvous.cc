#include "lib/control/rendezvous.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "lib/base/thread.h"
#include "lib/control/listen_addresses.h"
#include "lib/control/rendezvous_loop.h"

namespace unirack {

Rendezvous::Rendezvous(std::unique_ptr<RendezvousLoop> loop, UniqueFd leash)
    : loop_(std::move(loop)), leash_(std::move(leash)) {}

Result<std::unique_ptr<Rendezvous>> Rendezvous::prepare(const SecretKey& key,
                                                        const Config& config) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return make_error(Code::resource_exhausted, "cannot open a socket pair", kNoRank, errno);
  }
  UniqueFd leash(ends[0]);
  auto loop = UNIRACK_TRY(RendezvousLoop::create(key, config, UniqueFd(ends[1])));
  return std::make_unique<Rendezvous>(std::move(loop), std::move(leash));
}

Status Rendezvous::start() {
  UNIRACK_TRY(loop_->open());
  thread_ = UNIRACK_TRY(start_thread("unirack-meet", [this] { loop_->run(); }));
  return ok_status();
}

Result<Rendezvous::Opened> Rendezvous::open(const Config& config) {
  const auto places = UNIRACK_TRY(listen_addresses(config));
  // The id needs the ports, the loop needs the id's key: the key first, the addresses after.
  const UniqueId keyed = UNIRACK_TRY(UniqueId::make({}));
  auto rendezvous = UNIRACK_TRY(prepare(keyed.key(), config));
  Doorkeeper& doorkeeper = rendezvous->loop_->doorkeeper();
  UNIRACK_TRY(doorkeeper.listen(places, config.port_range));
  UniqueId id = keyed.with_addresses(doorkeeper.addresses());
  UNIRACK_TRY(rendezvous->start());
  return Opened{std::move(rendezvous), std::move(id)};
}

Result<std::unique_ptr<Rendezvous>> Rendezvous::open_at(const UniqueId& id, const Config& config) {
  auto rendezvous = UNIRACK_TRY(prepare(id.key(), config));
  UNIRACK_TRY(rendezvous->loop_->doorkeeper().listen(id.addresses()));
  UNIRACK_TRY(rendezvous->start());
  return rendezvous;
}

Rendezvous::~Rendezvous() {
  leash_.reset();
  if (thread_.joinable()) thread_.join();
}

bool Rendezvous::running() const {
  pollfd state{leash_.get(), 0, 0};
  return ::poll(&state, 1, 0) == 0;
}

}  // namespace unirack
