#include "lib/control/messages.h"

#include <gtest/gtest.h>

#include "lib/base/random.h"

namespace unirack {
namespace {

std::vector<std::byte> pattern(size_t bytes, uint64_t seed = 1) {
  std::vector<std::byte> data(bytes);
  Random(seed).fill(data);
  return data;
}

TEST(Messages, JoinSurvivesTheWire) {
  const JoinMessage sent{1234, "host pid 7", pattern(100)};
  const auto got = decode_join(encode_join(sent));
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(got->remaining_ms, 1234u);
  EXPECT_EQ(got->origin, "host pid 7");
  EXPECT_EQ(got->contact, sent.contact);
}

TEST(Messages, TableTravelsInParts) {
  std::vector<std::vector<std::byte>> contacts(3000);
  for (size_t i = 0; i < contacts.size(); ++i) contacts[i] = pattern(i % 80, i);
  const auto parts = encode_table(99, contacts);
  ASSERT_GT(parts.size(), 1u);
  size_t next = 0;
  for (const Payload& part : parts) {
    EXPECT_LE(part.size(), size_t{64} << 10);
    const auto table = decode_table(part);
    ASSERT_TRUE(table) << table.error().to_string();
    EXPECT_EQ(table->instance, 99u);
    EXPECT_EQ(table->rank_count, contacts.size());
    ASSERT_EQ(table->first_rank, next);
    for (const auto& contact : table->contacts) EXPECT_EQ(contact, contacts[next++]);
  }
  EXPECT_EQ(next, contacts.size());
}

TEST(Messages, TableBeyondItsPoolIsRefused) {
  Payload payload;
  Writer writer(payload);
  writer.put(uint64_t{1});
  writer.put(uint32_t{4});
  writer.put(uint32_t{3});
  writer.put(uint32_t{2});
  EXPECT_EQ(decode_table(payload).code(), Code::corrupted);
}

TEST(Messages, HeartbeatKeepsTheNewestOperations) {
  HeartbeatMessage sent;
  sent.activity = {40, 7, 1 << 20, 3, 5, true};
  for (uint64_t i = 1; i <= 40; ++i) sent.entered.push_back({i, i * 3, i * 5});
  sent.query_seen = 9;
  const auto got = decode_heartbeat(encode_heartbeat(sent));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->activity, sent.activity);
  EXPECT_EQ(got->query_seen, 9u);
  ASSERT_EQ(got->entered.size(), kEnteredMax);
  EXPECT_EQ(got->entered.front(), (Entered{25, 75, 125}));
  EXPECT_EQ(got->entered.back(), (Entered{40, 120, 200}));
}

TEST(Messages, VerdictCarriesTheErrorAndCutsLongText) {
  const Verdict sent{17, make_error(Code::mismatch, std::string(5000, 'x'), 3, 104)};
  const auto got = decode_verdict(encode_verdict(sent));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->sequence, 17u);
  EXPECT_EQ(got->error.code, Code::mismatch);
  EXPECT_EQ(got->error.culprit, 3);
  EXPECT_EQ(got->error.sys_errno, 104);
  EXPECT_EQ(got->error.detail, std::string(kDetailBytesMax, 'x'));
  EXPECT_EQ(decode_verdict(encode_verdict({1, make_error(Code::ok, "")})).code(), Code::corrupted);
}

TEST(Messages, AnswersCarryBytesOrAnError) {
  const auto bytes = pattern(1000);
  const Payload good = encode_answer(5, std::vector<std::byte>(bytes));
  const auto got = decode_answer(good);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->id, 5u);
  EXPECT_EQ(got->error.code, Code::ok);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), got->answer.begin(), got->answer.end()));
  const Payload bad = encode_answer(6, make_error(Code::stale, "gone", 2));
  const auto refused = decode_answer(bad);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error.code, Code::stale);
  EXPECT_EQ(refused->error.culprit, 2);
  EXPECT_EQ(refused->error.detail, "gone");
}

template <class Decode>
void expect_exact_length(const Payload& payload, Decode decode) {
  EXPECT_TRUE(decode(payload));
  for (size_t length = 0; length < payload.size(); ++length) {
    EXPECT_FALSE(decode(BytesView(payload).first(length))) << length << " of " << payload.size();
  }
  Payload longer = payload;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode(longer));
}

TEST(Messages, OtherLengthsAreRefused) {
  expect_exact_length(encode_join({1, "origin", pattern(20)}), decode_join);
  expect_exact_length(encode_table(1, {pattern(20), pattern(20)}).front(), decode_table);
  expect_exact_length(encode_heartbeat({{1, 2, 3, 4, 5, true}, {{1, 2, 3}}, 1}), decode_heartbeat);
  expect_exact_length(encode_query(3), decode_query);
  expect_exact_length(encode_verdict({1, make_error(Code::timeout, "late", 1)}), decode_verdict);
  expect_exact_length(encode_goodbye(3), decode_goodbye);
}

TEST(Messages, GarbageIsNeverMoreThanAnError) {
  Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> bytes(random.below(200));
    random.fill(bytes);
    (void)decode_join(bytes);
    (void)decode_table(bytes);
    (void)decode_heartbeat(bytes);
    (void)decode_verdict(bytes);
    (void)decode_answer(bytes);
    (void)decode_ask(bytes);
    (void)decode_exchange(bytes);
  }
}

}  // namespace
}  // namespace unirack
