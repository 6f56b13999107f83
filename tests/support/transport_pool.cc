#include "tests/support/transport_pool.h"

#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <ostream>

namespace unirack::testing {

void PrintTo(const Subject& subject, std::ostream* out) {
  *out << subject.transport << (subject.cma ? "" : " without CMA");
  if (subject.rail_count > 0) *out << " over " << subject.rail_count << " rails";
}

void Conformance::SetUp() {
  if (GetParam().rail_count == 0) return;
  std::string why_not;
  network_ = NetNamespace::open(GetParam().rail_count, why_not);
  if (!network_) GTEST_SKIP() << why_not;
}

std::byte pattern(uint64_t seed, uint64_t at) {
  return static_cast<std::byte>((at * 0x9e3779b97f4a7c15ull + seed * 0xbf58476d1ce4e5b9ull) >> 56);
}

void fill_pattern(Bytes target, uint64_t seed) {
  for (size_t i = 0; i < target.size(); ++i) target[i] = pattern(seed, i);
}

size_t first_difference(BytesView bytes, uint64_t seed) {
  size_t i = 0;
  while (i < bytes.size() && bytes[i] == pattern(seed, i)) ++i;
  return i;
}

bool is_poison(BytesView bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == kPoison; });
}

bool is_readable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

Buffer::Buffer(Kind kind, size_t bytes) : size_(bytes) {
  if (kind == Kind::private_memory) {
    heap_.resize(bytes / sizeof(uint64_t) + 1);
  } else {
    auto created = SharedMemory::create(bytes);
    if (created) shared_ = std::move(created).value();
    EXPECT_NE(shared_.data(), nullptr);
  }
  std::memset(data(), static_cast<int>(kPoison), bytes);
}

Memory Buffer::memory() const {
  if (shared_.data() != nullptr) return {shared_.data(), size_, shared_.fd()};
  return {reinterpret_cast<std::byte*>(const_cast<uint64_t*>(heap_.data())), size_, -1};
}

uint64_t Buffer::load_word(size_t offset) {
  return std::atomic_ref<uint64_t>(*word(offset)).load(std::memory_order_acquire);
}

Sparse::Sparse(size_t bytes) : bytes_(bytes) {
  void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data != MAP_FAILED) data_ = static_cast<std::byte*>(data);
}

Sparse::~Sparse() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

RankUnderTest::RankUnderTest(const Subject& subject, Rank rank, int rank_count, uint64_t instance,
                             std::string domain) {
  static const std::array<std::byte, 32> kKey{std::byte{42}};
  config_.domain = std::move(domain);
  config_.cma = subject.cma;
  config_.interfaces = {subject.rail_count > 0 ? "rail" : "lo"};
  const auto table = transport_table();
  const auto entry = std::ranges::find(table, subject.transport, &TransportEntry::name);
  if (entry == table.end()) {
    ADD_FAILURE() << "no transport " << subject.transport;
    return;
  }
  auto opened = entry->open({rank, rank_count, instance, kKey, &config_});
  if (opened) {
    transport_ = std::move(opened).value();
  } else {
    ADD_FAILURE() << opened.error().to_string();
  }
}

void RankUnderTest::connect(Rank peer, BytesView address, int path) {
  auto connected =
      transport_->connect(peer, address, path, TrafficClass::collective, connect_token(peer, path));
  ASSERT_TRUE(connected) << connected.error().to_string();
  endpoints_[{peer, path}] = std::move(connected).value();
}

std::unique_ptr<Endpoint> RankUnderTest::take_endpoint(Rank peer, int path) {
  auto node = endpoints_.extract({peer, path});
  return std::move(node.mapped());
}

void RankUnderTest::pump() {
  std::array<Completion, 5> completions;
  const size_t count = transport_->poll(completions);
  for (size_t i = 0; i < count; ++i) {
    done_[completions[i].token].push_back(std::move(completions[i].status));
  }
}

std::unique_ptr<Registration> RankUnderTest::expose(const Memory& memory, Access access) {
  auto registered = transport_->register_memory(memory, access);
  if (registered) return std::move(registered).value();
  ADD_FAILURE() << registered.error().to_string();
  return nullptr;
}

Pool::Pool(const Subject& subject, int rank_count, int path_count) : path_count_(path_count) {
  for (Rank rank = 0; rank < rank_count; ++rank) {
    ranks_.push_back(std::make_unique<RankUnderTest>(subject, rank, rank_count));
  }
}

void Pool::connect_all() {
  for (Rank a = 0; a < size(); ++a) {
    for (Rank b = 0; b < size(); ++b) {
      for (int path = 0; a != b && path < path_count_; ++path) {
        (*this)[a].connect(b, (*this)[b].transport().address(), path);
      }
    }
  }
  const bool connected = pump_until([&] {
    for (Rank a = 0; a < size(); ++a) {
      for (Rank b = 0; b < size(); ++b) {
        for (int path = 0; a != b && path < path_count_; ++path) {
          if (!(*this)[a].is_ready(b, path)) return false;
        }
      }
    }
    return true;
  });
  ASSERT_TRUE(connected);
  for (Rank a = 0; a < size(); ++a) {
    for (Rank b = 0; b < size(); ++b) {
      if (a == b) continue;
      for (int path = 0; path < path_count_; ++path) {
        const auto& outcomes = (*this)[a].outcomes(RankUnderTest::connect_token(b, path));
        ASSERT_EQ(outcomes.size(), 1u);
        ASSERT_TRUE(outcomes[0]) << outcomes[0].error().to_string();
      }
    }
  }
}

void Pool::pump() {
  for (auto& rank : ranks_) {
    if (rank) rank->pump();
  }
}

bool Pool::pump_until(const std::function<bool()>& is_true, Duration patience) {
  const Deadline deadline = deadline_in(patience);
  while (!is_true()) {
    if (expired(deadline)) return false;
    pump();
  }
  return true;
}

Status Pool::wait(RankUnderTest& rank, Token token) {
  if (!pump_until([&] { return rank.is_done(token); })) {
    return make_error(Code::timeout, "the token did not complete");
  }
  return rank.outcomes(token).front();
}

Remote Pool::import(Rank from, Rank owner, const Registration& registration, int path) {
  Endpoint& endpoint = (*this)[from].endpoint(owner, path);
  auto imported = endpoint.import(registration.descriptor());
  pump_until([&] {
    if (!imported) imported = endpoint.import(registration.descriptor());
    return static_cast<bool>(imported);
  });
  if (imported) return *imported;
  ADD_FAILURE() << imported.error().to_string();
  return {};
}

Status Pool::put(Rank from, Rank to, std::vector<Copy> copies, const Signal* signal, int path) {
  RankUnderTest& rank = (*this)[from];
  const Token token = rank.next_token();
  std::span<const Copy> rest = copies;
  if (!pump_until([&] {
        rest = rest.subspan(rank.endpoint(to, path).put(rest, signal, token));
        return rest.empty();
      })) {
    return make_error(Code::timeout, "the copies were not accepted");
  }
  return wait(rank, token);
}

Status Pool::get(Rank from, Rank to, std::vector<Copy> copies, int path) {
  RankUnderTest& rank = (*this)[from];
  const Token token = rank.next_token();
  std::span<const Copy> rest = copies;
  if (!pump_until([&] {
        rest = rest.subspan(rank.endpoint(to, path).get(rest, token));
        return rest.empty();
      })) {
    return make_error(Code::timeout, "the copies were not accepted");
  }
  return wait(rank, token);
}

}  // namespace unirack::testing
