#include "lib/net/handshake.h"

#include <gtest/gtest.h>

#include "lib/net/frame.h"

namespace unirack {
namespace {

JobCredentials job(uint8_t seed = 1) {
  Digest bytes{};
  bytes.fill(static_cast<std::byte>(seed));
  return JobCredentials::from_key(SecretKey(bytes)).value();
}

Nonce nonce(uint8_t seed) {
  Nonce value{};
  value.fill(static_cast<std::byte>(seed));
  return value;
}

Hello hello_of(Rank rank, Role role = Role::control) {
  Hello hello;
  hello.role = role;
  hello.rank = rank;
  hello.rank_count = 8;
  hello.path = 3;
  hello.instance = 77;
  return hello;
}

// Moves what `from` has pending to `to`, at most `piece` bytes at a time.
template <class From, class To>
size_t carry(From& from, To& to, size_t piece = kHandshakeBytes) {
  size_t carried = 0;
  while (!from.pending().empty()) {
    BytesView part = from.pending().first(std::min(piece, from.pending().size()));
    const size_t offered = part.size();
    to.feed(part);
    from.sent(offered);
    carried += offered;
  }
  return carried;
}

void run(HandshakeClient& client, HandshakeServer& server, size_t piece = kHandshakeBytes) {
  while (carry(client, server, piece) + carry(server, client, piece) != 0) {
  }
}

TEST(Handshake, MembersMeet) {
  const JobCredentials credentials = job();
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{159}, kHandshakeBytes}) {
    HandshakeClient client(credentials, hello_of(5, Role::data), 2, nonce(1));
    HandshakeServer server(credentials, 2, nonce(2));
    EXPECT_EQ(server.caller(), nullptr);
    run(client, server, piece);
    ASSERT_EQ(client.state(), HandshakeState::done) << client.error().to_string();
    ASSERT_EQ(server.state(), HandshakeState::done) << server.error().to_string();
    ASSERT_NE(server.caller(), nullptr);
    EXPECT_EQ(server.caller()->rank, 5);
    EXPECT_EQ(server.caller()->rank_count, 8);
    EXPECT_EQ(server.caller()->role, Role::data);
    EXPECT_EQ(server.caller()->path, 3);
    EXPECT_EQ(server.caller()->instance, 77u);
    EXPECT_EQ(client.session().peer, 2);
    EXPECT_EQ(server.session().peer, 5);
    EXPECT_EQ(client.session().protocol, 1);
  }
}

TEST(Handshake, SessionKeysFitAndDiffer) {
  const JobCredentials credentials = job();
  HandshakeClient client(credentials, hello_of(0), kNoRank, nonce(1));
  HandshakeServer server(credentials, kNoRank, nonce(2));
  run(client, server);
  const Session& a = client.session();
  const Session& b = server.session();
  EXPECT_TRUE(equal_in_constant_time(a.send_key.view(), b.receive_key.view()));
  EXPECT_TRUE(equal_in_constant_time(a.receive_key.view(), b.send_key.view()));
  EXPECT_FALSE(equal_in_constant_time(a.send_key.view(), a.receive_key.view()));

  HandshakeClient again(credentials, hello_of(0), kNoRank, nonce(3));
  HandshakeServer second(credentials, kNoRank, nonce(2));
  run(again, second);
  EXPECT_FALSE(equal_in_constant_time(again.session().send_key.view(), a.send_key.view()));
}

TEST(Handshake, FramesThatFollowAreLeftAlone) {
  const JobCredentials credentials = job();
  HandshakeClient client(credentials, hello_of(1), 0, nonce(1));
  HandshakeServer server(credentials, 0, nonce(2));
  carry(client, server);
  carry(server, client);
  std::vector<std::byte> stream(client.pending().begin(), client.pending().end());
  const BytesView more = bytes_of("frames");
  stream.insert(stream.end(), more.begin(), more.end());
  BytesView input = stream;
  EXPECT_EQ(server.feed(input), HandshakeState::done);
  EXPECT_EQ(text_of(input), "frames");
  EXPECT_FALSE(server.pending().empty()) << "the outcome is still to be sent";
}

TEST(Handshake, WrongKeyIsToldSo) {
  const JobCredentials ours = job(1);
  const JobCredentials theirs = job(2);
  HandshakeClient client(theirs, hello_of(1), 0, nonce(1));
  HandshakeServer server(ours, 0, nonce(2));
  run(client, server);
  EXPECT_EQ(client.state(), HandshakeState::failed);
  EXPECT_EQ(client.error().code, Code::unauthenticated);
  EXPECT_EQ(server.error().code, Code::unauthenticated);
  EXPECT_EQ(server.caller(), nullptr);
}

TEST(Handshake, KnowingTheJobIdIsNotEnough) {
  const JobCredentials ours = job(1);
  JobCredentials thief = job(2);
  thief.id = ours.id;
  {
    // A false client cannot even check the answer; it sends a proof anyway.
    HandshakeClient client(thief, hello_of(1), 0, nonce(1));
    HandshakeServer server(ours, 0, nonce(2));
    carry(client, server);
    carry(server, client);
    EXPECT_EQ(client.error().code, Code::unauthenticated);
    const HandshakeMessage proof = encode_proof();
    BytesView input = proof;
    EXPECT_EQ(server.feed(input), HandshakeState::failed);
    EXPECT_EQ(server.error().code, Code::unauthenticated);
    EXPECT_EQ(server.caller(), nullptr);
    EXPECT_EQ(server.pending().size(), kHandshakeBytes) << "and it is told";
  }
  // A false server is found out by the client.
  HandshakeClient client(ours, hello_of(1), 0, nonce(1));
  HandshakeServer server(thief, 0, nonce(2));
  run(client, server);
  EXPECT_EQ(client.error().code, Code::unauthenticated);
  EXPECT_EQ(server.state(), HandshakeState::running) << "no proof ever came";
}

TEST(Handshake, HighestCommonVersionIsChosen) {
  const JobCredentials credentials = job();
  Hello hello = hello_of(1);
  hello.protocols = {1, 3};
  HandshakeClient client(credentials, hello, 0, nonce(1));
  HandshakeServer server(credentials, 0, nonce(2), {2, 5});
  run(client, server);
  EXPECT_EQ(client.session().protocol, 3);
  EXPECT_EQ(server.session().protocol, 3);
}

TEST(Handshake, VersionMismatchNamesBothRangesAndTheRank) {
  const JobCredentials credentials = job();
  Hello hello = hello_of(6);
  hello.protocols = {1, 2};
  HandshakeClient client(credentials, hello, 0, nonce(1));
  HandshakeServer server(credentials, 0, nonce(2), {3, 5});
  run(client, server);
  EXPECT_EQ(client.state(), HandshakeState::failed);
  EXPECT_EQ(client.error().code, Code::version_mismatch);
  EXPECT_EQ(client.error().detail, "rank 0 speaks protocols 3 to 5, we speak 1 to 2");
  EXPECT_EQ(server.error().code, Code::version_mismatch);
  EXPECT_EQ(server.error().detail, "rank 6 speaks protocols 1 to 2, we speak 3 to 5");
  EXPECT_EQ(server.error().culprit, 6);
  ASSERT_NE(server.caller(), nullptr) << "a member said it, so it may be acted upon";
}

TEST(Handshake, AnotherFormatIsToldItsVersionDiffers) {
  const JobCredentials credentials = job();
  HandshakeServer server(credentials, 0, nonce(2));
  HandshakeMessage message = encode(hello_of(1));
  message[4] = std::byte{9};
  BytesView input = message;
  EXPECT_EQ(server.feed(input), HandshakeState::failed);
  EXPECT_EQ(server.error().code, Code::version_mismatch);
  EXPECT_EQ(server.caller(), nullptr);
  HandshakeClient client(credentials, hello_of(1), 0, nonce(1));
  carry(server, client);
  EXPECT_EQ(client.error().code, Code::version_mismatch);
}

TEST(Handshake, AnotherRankAnsweringIsAMismatch) {
  const JobCredentials credentials = job();
  HandshakeClient client(credentials, hello_of(1), 2, nonce(1));
  HandshakeServer server(credentials, 3, nonce(2));
  run(client, server);
  EXPECT_EQ(client.error().code, Code::mismatch);
  EXPECT_NE(server.state(), HandshakeState::done);
}

TEST(Handshake, GarbageIsKnownByItsFirstBytes) {
  const JobCredentials credentials = job();
  HandshakeServer server(credentials, 0, nonce(2));
  BytesView input = bytes_of("GET / HTTP/1.1\r\n");
  EXPECT_EQ(server.feed(input), HandshakeState::failed);
  EXPECT_EQ(server.error().code, Code::corrupted);
  EXPECT_TRUE(server.pending().empty()) << "a stranger learns nothing";
}

// Flips one byte on the way; whatever happens, nobody may take a changed statement for true.
void run_with_one_flip(const JobCredentials& credentials, size_t flip_at) {
  HandshakeClient client(credentials, hello_of(5), 2, nonce(1));
  HandshakeServer server(credentials, 2, nonce(2));
  size_t position = 0;
  const auto deliver = [&](auto& from, auto& to) {
    std::vector<std::byte> bytes(from.pending().begin(), from.pending().end());
    from.sent(bytes.size());
    if (flip_at >= position && flip_at < position + bytes.size()) {
      bytes[flip_at - position] ^= std::byte{0x10};
    }
    position += bytes.size();
    BytesView input = bytes;
    to.feed(input);
    return bytes.size();
  };
  while (deliver(client, server) + deliver(server, client) != 0) {
  }
  EXPECT_NE(client.state(), HandshakeState::done) << "byte " << flip_at;
  const bool in_outcome = flip_at >= 3 * kHandshakeBytes;
  EXPECT_EQ(server.state() == HandshakeState::done, in_outcome) << "byte " << flip_at;
  EXPECT_EQ(server.caller() != nullptr, in_outcome) << "byte " << flip_at;
}

TEST(Handshake, EveryFlippedByteIsFound) {
  const JobCredentials credentials = job();
  for (size_t at = 0; at < 4 * kHandshakeBytes; ++at) run_with_one_flip(credentials, at);
}

TEST(Handshake, RecordedMessagesCannotBeReplayed) {
  const JobCredentials credentials = job();
  HandshakeClient client(credentials, hello_of(5), 2, nonce(1));
  HandshakeServer server(credentials, 2, nonce(2));
  std::vector<std::byte> recorded(client.pending().begin(), client.pending().end());
  carry(client, server);
  carry(server, client);
  recorded.insert(recorded.end(), client.pending().begin(), client.pending().end());
  carry(client, server);
  ASSERT_EQ(server.state(), HandshakeState::done);

  HandshakeServer fresh(credentials, 2, nonce(3));
  BytesView input = recorded;
  EXPECT_EQ(fresh.feed(input), HandshakeState::failed);
  EXPECT_EQ(fresh.error().code, Code::unauthenticated);
}

TEST(Handshake, ReflectedMessagesAreRefused) {
  const JobCredentials credentials = job();
  HandshakeClient client(credentials, hello_of(5), kNoRank, nonce(1));
  const std::vector<std::byte> own(client.pending().begin(), client.pending().end());
  BytesView input = own;
  EXPECT_EQ(client.feed(input), HandshakeState::failed);
  EXPECT_EQ(client.error().code, Code::corrupted);
}

TEST(Handshake, FramesWorkWithTheSessionKeys) {
  const JobCredentials credentials = job();
  HandshakeClient client(credentials, hello_of(5), 2, nonce(1));
  HandshakeServer server(credentials, 2, nonce(2));
  run(client, server);
  MacState sender = std::move(MacState::create(client.session().send_key)).value();
  MacState receiver = std::move(MacState::create(server.session().receive_key)).value();
  std::vector<std::byte> stream;
  ASSERT_TRUE(append_frame(stream, sender, 1, 0, bytes_of("heartbeat")));
  FrameReader reader;
  BytesView input = stream;
  const auto frame = reader.feed(input);
  ASSERT_TRUE(frame && *frame);
  EXPECT_TRUE(receiver.verify(**frame));
}

}  // namespace
}  // namespace unirack
