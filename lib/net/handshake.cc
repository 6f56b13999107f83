#include "lib/net/handshake.h"

#include <fmt/format.h>

#include <algorithm>

namespace unirack {
namespace {

// What each derived key is for; part of the protocol.
constexpr std::string_view kClientProof = "unirack c";
constexpr std::string_view kServerProof = "unirack s";
constexpr std::string_view kClientToServer = "unirack session c to s";
constexpr std::string_view kServerToClient = "unirack session s to c";

Result<SecretKey> derive(const JobCredentials& job, const Nonce& client, const Nonce& server,
                         std::string_view purpose) {
  std::array<std::byte, sizeof(Nonce) * 2> salt{};
  Writer writer{Bytes(salt)};
  writer.put_bytes(client);
  writer.put_bytes(server);
  return hkdf_sha256(job.key, salt, purpose);
}

uint16_t highest_common(ProtocolRange a, ProtocolRange b) {
  const uint16_t low = std::max(a.min, b.min);
  const uint16_t high = std::min(a.max, b.max);
  return low <= high ? high : uint16_t{0};
}

Error versions_differ(std::string_view peer, ProtocolRange theirs, ProtocolRange ours,
                      Rank culprit) {
  return make_error(Code::version_mismatch,
                    fmt::format("{} speaks protocols {} to {}, we speak {} to {}", peer, theirs.min,
                                theirs.max, ours.min, ours.max),
                    culprit);
}

std::string server_name(Rank rank) {
  return rank == kNoRank ? std::string("the rendezvous") : fmt::format("rank {}", rank);
}

}  // namespace

Result<JobCredentials> JobCredentials::from_key(const SecretKey& key) {
  JobCredentials job;
  job.key = key;
  const BytesView parts[] = {bytes_of("unirack job id")};
  const Digest digest = UNIRACK_TRY(hmac_sha256(key, parts));
  std::copy_n(digest.begin(), job.id.size(), job.id.begin());
  return job;
}

// ---- HandshakeExchange -----------------------------------------------------------------------

HandshakeExchange::Progress HandshakeExchange::take(BytesView& input) {
  if (filled_ == kHandshakeBytes) filled_ = 0;
  const size_t part = std::min(kHandshakeBytes - filled_, input.size());
  if (part != 0) std::memcpy(inbox_.data() + filled_, input.data(), part);
  filled_ += part;
  input = input.subspan(part);
  // A stranger is known by its first bytes: no need to wait for the rest.
  if (filled_ >= kHandshakePrefixBytes) {
    const auto kind = decode_kind(HandshakeView(inbox_).first<kHandshakePrefixBytes>());
    if (!kind) {
      refusal_ = kind.error();
      return Progress::garbage;
    }
  }
  return filled_ == kHandshakeBytes ? Progress::message : Progress::starved;
}

void HandshakeExchange::queue(const HandshakeMessage& message) {
  std::copy(message.begin(), message.end(), outbox_.begin() + static_cast<ptrdiff_t>(queued_));
  queued_ += message.size();
}

BytesView HandshakeExchange::pending() const {
  return BytesView(outbox_).subspan(sent_, queued_ - sent_);
}

void HandshakeExchange::remember(HandshakeView message) {
  std::copy(message.begin(), message.end(),
            transcript_.begin() + static_cast<ptrdiff_t>(remembered_));
  remembered_ += message.size();
}

Result<Digest> HandshakeExchange::mac(const SecretKey& key, HandshakeView message) const {
  const BytesView parts[] = {BytesView(transcript_).first(remembered_),
                             message.first<kHandshakeSignedBytes>()};
  return hmac_sha256(key, parts);
}

Status HandshakeExchange::sign(const SecretKey& key, HandshakeMessage& message) const {
  const Digest digest = UNIRACK_TRY(mac(key, message));
  std::copy(digest.begin(), digest.end(), message.begin() + kHandshakeSignedBytes);
  return ok_status();
}

Result<bool> HandshakeExchange::verify(const SecretKey& key) const {
  const Digest digest = UNIRACK_TRY(mac(key, inbox_));
  return equal_in_constant_time(digest, message().last<kHandshakeMacBytes>());
}

// ---- HandshakeClient -------------------------------------------------------------------------

HandshakeClient::HandshakeClient(const JobCredentials& job, Hello hello, Rank server,
                                 const Nonce& nonce)
    : job_(&job), hello_(hello), server_(server) {
  hello_.job_id = job.id;
  hello_.nonce = nonce;
  const HandshakeMessage message = encode(hello_);
  exchange_.remember(message);
  exchange_.queue(message);
}

HandshakeState HandshakeClient::feed(BytesView& input) {
  while (state_ == HandshakeState::running) {
    const auto progress = exchange_.take(input);
    if (progress == HandshakeExchange::Progress::starved) break;
    Status status = progress == HandshakeExchange::Progress::message ? on_message()
                                                                     : Status(exchange_.refusal());
    if (!status) {
      error_ = std::move(status).error();
      state_ = HandshakeState::failed;
    }
  }
  return state_;
}

Status HandshakeClient::on_message() {
  const HandshakeKind kind =
      UNIRACK_TRY(decode_kind(exchange_.message().first<kHandshakePrefixBytes>()));
  if (kind == HandshakeKind::outcome) return on_outcome();
  if (answered_) return make_error(Code::corrupted, "malformed handshake: unexpected kind");
  return on_answer();
}

Status HandshakeClient::on_answer() {
  answer_ = UNIRACK_TRY(decode_answer(exchange_.message()));
  server_key_ = UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kServerProof));
  if (!UNIRACK_TRY(exchange_.verify(server_key_))) {
    return make_error(Code::unauthenticated, "the server does not know the job's key");
  }
  if (server_ != kNoRank && answer_.rank != server_) {
    return make_error(Code::mismatch, fmt::format("expected rank {} to answer, met {}", server_,
                                                  server_name(answer_.rank)));
  }
  if (answer_.protocol != highest_common(hello_.protocols, answer_.protocols)) {
    return make_error(Code::corrupted, "malformed handshake: chosen protocol");
  }
  exchange_.remember(exchange_.message());
  answered_ = true;
  HandshakeMessage proof = encode_proof();
  const SecretKey key = UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kClientProof));
  UNIRACK_TRY(exchange_.sign(key, proof));
  exchange_.remember(proof);
  exchange_.queue(proof);
  return ok_status();
}

Status HandshakeClient::on_outcome() {
  const Outcome outcome = UNIRACK_TRY(decode_outcome(exchange_.message()));
  if (!outcome.has_mac) {
    // Unsigned, so it can only ever refuse.
    if (outcome.code == Code::version_mismatch) {
      return versions_differ("the server", outcome.protocols, hello_.protocols, kNoRank);
    }
    return make_error(Code::unauthenticated, "the server does not accept our key");
  }
  if (!answered_ || !UNIRACK_TRY(exchange_.verify(server_key_))) {
    return make_error(Code::unauthenticated, "the server does not know the job's key");
  }
  if (answer_.protocol == 0) {
    return versions_differ(server_name(answer_.rank), outcome.protocols, hello_.protocols,
                           hello_.rank);
  }
  if (outcome.code != Code::ok) {
    return make_error(Code::corrupted, "malformed handshake: outcome against its answer");
  }
  session_.protocol = answer_.protocol;
  session_.peer = answer_.rank;
  session_.send_key = UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kClientToServer));
  session_.receive_key = UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kServerToClient));
  state_ = HandshakeState::done;
  return ok_status();
}

// ---- HandshakeServer -------------------------------------------------------------------------

HandshakeServer::HandshakeServer(const JobCredentials& job, Rank rank, const Nonce& nonce,
                                 ProtocolRange protocols)
    : job_(&job) {
  answer_.protocols = protocols;
  answer_.rank = rank;
  answer_.nonce = nonce;
}

HandshakeState HandshakeServer::feed(BytesView& input) {
  while (state_ == HandshakeState::running) {
    const auto progress = exchange_.take(input);
    if (progress == HandshakeExchange::Progress::starved) break;
    Status status = ok_status();
    if (progress == HandshakeExchange::Progress::message) {
      status = on_message();
    } else {
      status = exchange_.refusal();
      // Another format of the handshake is told that it is one; garbage is told nothing.
      if (status.code() == Code::version_mismatch) status = refuse(std::move(status).error());
    }
    if (!status) {
      error_ = std::move(status).error();
      state_ = HandshakeState::failed;
    }
  }
  return state_;
}

Error HandshakeServer::refuse(Error error) {
  exchange_.queue(encode(Outcome{error.code, false, answer_.protocols}));
  return error;
}

Status HandshakeServer::on_message() { return greeted_ ? on_proof() : on_hello(); }

Status HandshakeServer::on_hello() {
  hello_ = UNIRACK_TRY(decode_hello(exchange_.message()));
  if (!equal_in_constant_time(hello_.job_id, job_->id)) {
    return refuse(make_error(Code::unauthenticated, "the caller belongs to another job"));
  }
  exchange_.remember(exchange_.message());
  greeted_ = true;
  answer_.protocol = highest_common(hello_.protocols, answer_.protocols);
  HandshakeMessage message = encode(answer_);
  const SecretKey key = UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kServerProof));
  UNIRACK_TRY(exchange_.sign(key, message));
  exchange_.remember(message);
  exchange_.queue(message);
  return ok_status();
}

Status HandshakeServer::on_proof() {
  UNIRACK_TRY(decode_proof(exchange_.message()));
  const SecretKey client_key =
      UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kClientProof));
  if (!UNIRACK_TRY(exchange_.verify(client_key))) {
    return refuse(make_error(Code::unauthenticated, "the caller does not know the job's key"));
  }
  exchange_.remember(exchange_.message());
  authenticated_ = true;

  const Code code = answer_.protocol == 0 ? Code::version_mismatch : Code::ok;
  HandshakeMessage outcome = encode(Outcome{code, true, answer_.protocols});
  const SecretKey server_key =
      UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kServerProof));
  UNIRACK_TRY(exchange_.sign(server_key, outcome));
  exchange_.queue(outcome);
  if (code != Code::ok) {
    return versions_differ(fmt::format("rank {}", hello_.rank), hello_.protocols, answer_.protocols,
                           hello_.rank);
  }
  session_.protocol = answer_.protocol;
  session_.peer = hello_.rank;
  session_.send_key = UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kServerToClient));
  session_.receive_key = UNIRACK_TRY(derive(*job_, hello_.nonce, answer_.nonce, kClientToServer));
  state_ = HandshakeState::done;
  return ok_status();
}

}  // namespace unirack
