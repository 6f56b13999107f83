// What may be touched, and what happens to those who touch something else.
#include <algorithm>

#include "tests/conformance/subjects.h"

namespace unirack::testing {
namespace {

constexpr size_t kBytes = 5000;

class ConformanceAccess : public Conformance {
 protected:
  // Tries until the refusal comes back: over a message transport it arrives with a later
  // completion of the endpoint.
  static Code outcome_of_put(Pool& pool, const Copy& copy, const Remote& harmless) {
    Status status = pool.put(0, 1, {copy});
    const Copy nothing{nullptr, harmless, 0, 0};
    pool.pump_until(
        [&] {
          if (status) status = pool.put(0, 1, {nothing});
          return !status;
        },
        milliseconds(500));
    return status.code();
  }
};

TEST_P(ConformanceAccess, RefusesPutsOnceTheRegionIsGone) {
  for (const Kind kind : {Kind::private_memory, Kind::symmetric}) {
    Pool pool(GetParam(), 2);
    pool.connect_all();
    Buffer gone(kind, kBytes);
    Buffer stays(Kind::private_memory, kBytes);
    *stays.word(0) = 0;
    auto exposed = pool[1].expose(gone);
    const auto other = pool[1].expose(stays);
    const Remote remote = pool.import(0, 1, *exposed);
    const Remote harmless = pool.import(0, 1, *other);
    exposed.reset();
    std::vector<std::byte> source(kBytes, std::byte{1});
    EXPECT_EQ(outcome_of_put(pool, {source.data(), remote, 0, kBytes}, harmless), Code::stale);
    EXPECT_TRUE(is_poison(gone.bytes()));
    // The endpoint goes on: the next put with a signal after a refused one lacks nothing but that
    // one signal.
    const Signal signal{harmless, 0, 5};
    ASSERT_TRUE(pool.pump_until([&] {
      const Status status = pool.put(0, 1, {{source.data(), harmless, 8, 100}}, &signal);
      return status && stays.load_word(0) == 5;
    }));
    EXPECT_EQ(std::ranges::count(stays.bytes().subspan(8), std::byte{1}), 100);
  }
}

TEST_P(ConformanceAccess, RefusesGetsOnceTheRegionIsGone) {
  for (const Kind kind : {Kind::private_memory, Kind::symmetric}) {
    Pool pool(GetParam(), 2);
    pool.connect_all();
    Buffer gone(kind, kBytes);
    auto exposed = pool[1].expose(gone, Access::read);
    const Remote remote = pool.import(0, 1, *exposed);
    std::vector<std::byte> target(kBytes, std::byte{1});
    ASSERT_TRUE(pool.get(0, 1, {{target.data(), remote, 0, 10}}));
    exposed.reset();
    std::ranges::fill(target, std::byte{1});
    ASSERT_TRUE(pool.pump_until([&] {
      return pool.get(0, 1, {{target.data(), remote, 0, kBytes}}).code() == Code::stale;
    }));
  }
}

TEST_P(ConformanceAccess, TheSameMemoryRegisteredAgainIsAnotherRegion) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  Buffer buffer(Kind::private_memory, kBytes);
  Buffer stays(Kind::private_memory, 64);
  const auto other = pool[1].expose(stays);
  const Remote harmless = pool.import(0, 1, *other);
  auto exposed = pool[1].expose(buffer);
  const Remote before = pool.import(0, 1, *exposed);
  const std::vector<std::byte> first(exposed->descriptor().begin(), exposed->descriptor().end());
  exposed.reset();
  exposed = pool[1].expose(buffer);
  EXPECT_FALSE(std::ranges::equal(first, exposed->descriptor()));
  std::vector<std::byte> source(kBytes, std::byte{1});
  EXPECT_EQ(outcome_of_put(pool, {source.data(), before, 0, kBytes}, harmless), Code::stale);
  EXPECT_TRUE(is_poison(buffer.bytes()));
  const Remote after = pool.import(0, 1, *exposed);
  EXPECT_TRUE(pool.put(0, 1, {{source.data(), after, 0, kBytes}}));
  EXPECT_TRUE(pool.pump_until([&] { return buffer.data()[kBytes - 1] == std::byte{1}; }));
}

TEST_P(ConformanceAccess, RefusesWhatLiesOutside) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  for (const Kind kind : {Kind::private_memory, Kind::symmetric}) {
    Buffer buffer(kind, kBytes);
    const auto exposed = pool[1].expose(buffer);
    const Remote remote = pool.import(0, 1, *exposed);
    std::vector<std::byte> source(kBytes + 8, std::byte{1});
    const auto outcome = [&](uint64_t offset, uint64_t bytes) {
      return outcome_of_put(pool, {source.data(), remote, offset, bytes}, remote);
    };
    EXPECT_EQ(outcome(1, kBytes), Code::invalid_argument);
    EXPECT_EQ(outcome(kBytes, 1), Code::invalid_argument);
    EXPECT_EQ(outcome(kBytes + 1, 0), Code::invalid_argument);
    EXPECT_EQ(outcome(~uint64_t{0}, 2), Code::invalid_argument);
    EXPECT_TRUE(is_poison(buffer.bytes()));
    std::vector<std::byte> target(kBytes);
    EXPECT_EQ(pool.get(0, 1, {{target.data(), remote, 1, kBytes}}).code(), Code::invalid_argument);
    EXPECT_EQ(pool.put(0, 1, {{source.data(), remote, kBytes, 0}}).code(), Code::ok);
  }
}

// A peer that was told another size than the owner registered.
TEST_P(ConformanceAccess, TheOwnerChecksAgain) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  Buffer buffer(Kind::private_memory, kBytes + 1000);
  Buffer stays(Kind::private_memory, 64);
  const auto other = pool[1].expose(stays);
  const Remote harmless = pool.import(0, 1, *other);
  const auto exposed = pool[1].expose(Memory{buffer.data(), kBytes, -1}, Access::read);
  std::vector<std::byte> forged(exposed->descriptor().begin(), exposed->descriptor().end());
  forged[5] = std::byte{3};  // may be written
  store_little<uint64_t>(forged.data() + 16, kBytes + 1000);
  const auto imported = pool[0].endpoint(1).import(forged);
  if (!imported) return;
  std::vector<std::byte> source(kBytes + 1000, std::byte{1});
  EXPECT_EQ(outcome_of_put(pool, {source.data(), *imported, 0, kBytes + 1}, harmless),
            Code::invalid_argument);
  EXPECT_EQ(outcome_of_put(pool, {source.data(), *imported, 0, 10}, harmless),
            Code::invalid_argument);
  EXPECT_TRUE(is_poison(buffer.bytes()));
  EXPECT_EQ(pool.get(0, 1, {{source.data(), *imported, kBytes - 5, 10}}).code(),
            Code::invalid_argument);
}

TEST_P(ConformanceAccess, KeepsToTheDirectionAllowed) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  for (const Kind kind : {Kind::private_memory, Kind::symmetric}) {
    Buffer readable(kind, kBytes);
    Buffer writable(kind, kBytes);
    const auto read_only = pool[1].expose(readable, Access::read);
    const auto write_only = pool[1].expose(writable, Access::write);
    const Remote to_read = pool.import(0, 1, *read_only);
    const Remote to_write = pool.import(0, 1, *write_only);
    std::vector<std::byte> local(kBytes, std::byte{1});
    EXPECT_EQ(outcome_of_put(pool, {local.data(), to_read, 0, 9}, to_write),
              Code::invalid_argument);
    EXPECT_TRUE(is_poison(readable.bytes()));
    EXPECT_EQ(pool.get(0, 1, {{local.data(), to_write, 0, 9}}).code(), Code::invalid_argument);
    EXPECT_EQ(local[0], std::byte{1});
    EXPECT_TRUE(pool.get(0, 1, {{local.data(), to_read, 0, 9}}));
    EXPECT_TRUE(pool.put(0, 1, {{local.data(), to_write, 0, 9}}));
  }
}

TEST_P(ConformanceAccess, RefusesSignalsThatDoNotFit) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  Buffer words(Kind::private_memory, 64);
  const auto exposed = pool[1].expose(words);
  const Remote remote = pool.import(0, 1, *exposed);
  const Copy nothing{nullptr, remote, 0, 0};
  for (const uint64_t offset : {uint64_t{4}, uint64_t{64}, ~uint64_t{7}}) {
    const Signal signal{remote, offset, 1};
    EXPECT_EQ(pool.put(0, 1, {nothing}, &signal).code(), Code::invalid_argument);
  }
  EXPECT_TRUE(is_poison(words.bytes()));
}

TEST_P(ConformanceAccess, RefusesDescriptorsThatAreNone) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  Buffer buffer(Kind::private_memory, kBytes);
  const auto exposed = pool[1].expose(buffer);
  const BytesView good = exposed->descriptor();
  ASSERT_LE(good.size(), kDescriptorBytesMax);
  Endpoint& endpoint = pool[0].endpoint(1);
  EXPECT_FALSE(endpoint.import({}));
  EXPECT_FALSE(endpoint.import(good.first(good.size() - 1)));
  std::vector<std::byte> longer(good.begin(), good.end());
  longer.push_back(std::byte{0});
  EXPECT_FALSE(endpoint.import(longer));
  std::vector<std::byte> noise(good.size(), std::byte{0xff});
  EXPECT_FALSE(endpoint.import(noise));
}

TEST_P(ConformanceAccess, RefusesAddressesThatAreNone) {
  Pool pool(GetParam(), 2);
  Transport& transport = pool[0].transport();
  std::vector<std::byte> address = pool[1].transport().address();
  ASSERT_LE(address.size(), kAddressBytesMax);
  EXPECT_NE(transport.reach(address), Reach::none);
  const std::vector<std::byte> noise(address.size(), std::byte{0x5a});
  for (const BytesView bad : {BytesView(), BytesView(address).first(5), BytesView(noise)}) {
    EXPECT_EQ(transport.reach(bad), Reach::none);
    EXPECT_FALSE(transport.connect(1, bad, 0, TrafficClass::collective, 1));
  }
  EXPECT_FALSE(transport.connect(0, address, 0, TrafficClass::collective, 1));
}

TEST_P(ConformanceAccess, SharesMemoryOnlyInsideADomain) {
  RankUnderTest here(GetParam(), 0, 3, 7, "red");
  RankUnderTest same(GetParam(), 1, 3, 7, "red");
  RankUnderTest other(GetParam(), 2, 3, 7, "blue");
  EXPECT_NE(here.transport().reach(same.transport().address()), Reach::none);
  EXPECT_EQ(here.transport().reach(same.transport().address()),
            same.transport().reach(here.transport().address()));
  EXPECT_NE(here.transport().reach(other.transport().address()), Reach::load_store);
  EXPECT_NE(other.transport().reach(here.transport().address()), Reach::load_store);
}

UNIRACK_CONFORMANCE(ConformanceAccess);

}  // namespace
}  // namespace unirack::testing
