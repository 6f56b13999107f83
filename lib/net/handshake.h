// Mutual authentication of a new connection by a pre-shared key, as two pure state machines: feed
// them what arrived, send what they have pending, until the state is done or failed. No sockets, no
// clock, no randomness (the caller gives a fresh nonce), no memory but their own. Deadlines are the
// caller's.
//
//   client                         server
//   hello  ---------------------->  knows the job id?
//     proves nothing yet            no: outcome unauthenticated
//          <---------------------- answer, signed with K_s: the server knows the key
//   proof, signed with K_c ------->  the client knows it too, and said the hello
//          <---------------------- outcome, signed: ok or version_mismatch
//
// K_c, K_s and the two session keys come from the job key and both nonces by HKDF; the key itself
// is never sent. MACs cover all earlier messages, so rank, rank count, role and versions are
// statements of a member of the job. A version mismatch is told only to members, so that a stranger
// cannot fake one; only a server that cannot read the hello at all says it unsigned. One owner, one
// thread.
#pragma once

#include <array>
#include <cstdint>

#include "lib/base/bytes.h"
#include "lib/base/crypto.h"
#include "lib/base/result.h"
#include "lib/net/handshake_message.h"

namespace unirack {

// The job's key and the public name derived from it. Made once, outlives the handshakes that use
// it.
struct JobCredentials {
  SecretKey key;
  JobId id{};

  static Result<JobCredentials> from_key(const SecretKey& key);
};

// What a finished handshake leaves: use one MacState with each key.
struct Session {
  uint16_t protocol = 0;
  Rank peer = kNoRank;
  SecretKey send_key;
  SecretKey receive_key;
};

enum class HandshakeState : uint8_t { running, done, failed };

// The bookkeeping that both sides share: one message coming in, at most two going out, and the
// transcript that MACs cover.
class HandshakeExchange {
 public:
  enum class Progress : uint8_t { starved, message, garbage };

  // Takes from `input` up to the end of the current message.
  Progress take(BytesView& input);
  HandshakeView message() const { return inbox_; }
  // Why take() found garbage.
  const Error& refusal() const { return refusal_; }

  void queue(const HandshakeMessage& message);
  BytesView pending() const;
  void sent(size_t byte_count) { sent_ += byte_count; }

  void remember(HandshakeView message);
  // The MAC of `message` after all that is remembered.
  Result<Digest> mac(const SecretKey& key, HandshakeView message) const;
  Status sign(const SecretKey& key, HandshakeMessage& message) const;
  Result<bool> verify(const SecretKey& key) const;

 private:
  HandshakeMessage inbox_{};
  size_t filled_ = 0;
  std::array<std::byte, 2 * kHandshakeBytes> outbox_{};
  size_t queued_ = 0;
  size_t sent_ = 0;
  std::array<std::byte, 3 * kHandshakeBytes> transcript_{};
  size_t remembered_ = 0;
  Error refusal_;
};

class HandshakeClient {
 public:
  // Fills in the job id and the nonce of `hello`. `server` is the rank that must answer, or kNoRank
  // if any will do.
  HandshakeClient(const JobCredentials& job, Hello hello, Rank server, const Nonce& nonce);

  // Takes what belongs to the handshake off the front of `input`; later bytes stay.
  HandshakeState feed(BytesView& input);
  BytesView pending() const { return exchange_.pending(); }
  void sent(size_t byte_count) { exchange_.sent(byte_count); }

  HandshakeState state() const { return state_; }
  const Error& error() const { return error_; }        // once failed
  const Session& session() const { return session_; }  // once done

 private:
  Status on_message();
  Status on_answer();
  Status on_outcome();

  const JobCredentials* job_;
  Hello hello_;
  Rank server_;
  HandshakeExchange exchange_;
  bool answered_ = false;
  Answer answer_;
  SecretKey server_key_;
  HandshakeState state_ = HandshakeState::running;
  Error error_;
  Session session_;
};

class HandshakeServer {
 public:
  // `rank` is this server's, or kNoRank for a rendezvous that is none.
  HandshakeServer(const JobCredentials& job, Rank rank, const Nonce& nonce,
                  ProtocolRange protocols = kProtocols);

  // As for the client. After done or failed there may still be bytes pending, which tell the
  // client.
  HandshakeState feed(BytesView& input);
  BytesView pending() const { return exchange_.pending(); }
  void sent(size_t byte_count) { exchange_.sent(byte_count); }

  HandshakeState state() const { return state_; }
  const Error& error() const { return error_; }
  const Session& session() const { return session_; }
  // What the caller said of itself; null until it has proved to be a member of the job. Also set
  // after a version mismatch.
  const Hello* caller() const { return authenticated_ ? &hello_ : nullptr; }

 private:
  Status on_message();
  Status on_hello();
  Status on_proof();
  Error refuse(Error error);

  const JobCredentials* job_;
  Answer answer_;
  HandshakeExchange exchange_;
  bool greeted_ = false;
  bool authenticated_ = false;
  Hello hello_;
  HandshakeState state_ = HandshakeState::running;
  Error error_;
  Session session_;
};

}  // namespace unirack
