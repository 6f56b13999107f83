// What the rendezvous' thread runs: carries Bootstrap's actions to sockets and sockets' events to
// Bootstrap. Owned by its thread alone.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "lib/base/log.h"
#include "lib/base/unique_fd.h"
#include "lib/control/bootstrap.h"
#include "lib/control/channel.h"
#include "lib/control/doorkeeper.h"
#include "lib/net/poller.h"

namespace unirack {

class RendezvousLoop {
 public:
  static Result<std::unique_ptr<RendezvousLoop>> create(const SecretKey& key, const Config& config,
                                                        UniqueFd leash);

  // Made by create().
  RendezvousLoop(JobCredentials job, Poller poller, uint64_t instance, UniqueFd leash,
                 const Config& config);

  Doorkeeper& doorkeeper() { return doorkeeper_; }
  Status open() { return doorkeeper_.open(); }
  void run();

 private:
  struct Client {
    Channel channel;
    Hello hello;
    std::string address;
    Deadline close_by = kNoDeadline;  // set once nothing more is to be said
    bool shut_down = false;
  };

  void handle(const PollEvent& event, TimePoint now);
  void admit(TimePoint now);
  void receive(uint64_t token, TimePoint now);
  Status on_message(uint64_t token, MessageType type, BytesView payload, TimePoint now);
  void carry_out(TimePoint now);
  void send_table(Client& client);
  void flush(uint64_t token, Client& client);
  void drop(uint64_t token);
  void close_overdue(TimePoint now);

  JobCredentials job_;
  Poller poller_;
  uint64_t instance_;
  UniqueFd leash_;
  Doorkeeper doorkeeper_;
  Bootstrap bootstrap_;
  Logger log_;
  RateLimit log_limit_;
  std::map<uint64_t, Client> clients_;  // the token is Bootstrap's name for the client
  uint64_t next_token_ = 1;
  bool stopped_ = false;
};

}  // namespace unirack
