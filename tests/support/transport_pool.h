// Ranks of a small pool inside one test: each has its own transport of the kind under test, and
// buffers that it registers. One thread may pump them all in turn, or each rank has its own.
//
// Nothing here waits without a deadline; what fails to happen fails the test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/memory/shared_memory.h"
#include "tests/support/net_namespace.h"
#include "transports/registry.h"

namespace unirack::testing {

// A line of the transport table, and the setting that makes it behave differently.
struct Subject {
  std::string_view transport;
  bool cma = true;
  int rail_count = 0;  // more than 0: in a network namespace with as many
};
void PrintTo(const Subject& subject, std::ostream* out);

inline constexpr auto kPatience = std::chrono::seconds(10);
inline constexpr std::byte kPoison{0xA5};

// What byte `at` of the data called `seed` is. No two seeds agree for long.
std::byte pattern(uint64_t seed, uint64_t at);
void fill_pattern(Bytes target, uint64_t seed);
// Index of the first byte that differs, or the size.
size_t first_difference(BytesView bytes, uint64_t seed);
bool is_poison(BytesView bytes);

enum class Kind : uint8_t { private_memory, symmetric };

bool is_readable(int fd, int timeout_ms);

// Poisoned when it is made.
class Buffer {
 public:
  Buffer(Kind kind, size_t bytes);
  Memory memory() const;
  std::byte* data() { return memory().data; }
  Bytes bytes() { return {data(), size_}; }
  uint64_t* word(size_t offset) { return reinterpret_cast<uint64_t*>(data() + offset); }
  uint64_t load_word(size_t offset);

 private:
  size_t size_;
  std::vector<uint64_t> heap_;
  SharedMemory shared_;
};

// Address space without memory behind it, for offsets beyond 4 GiB.
class Sparse {
 public:
  explicit Sparse(size_t bytes);
  ~Sparse();
  Sparse(const Sparse&) = delete;
  Sparse& operator=(const Sparse&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_;
};

// One rank: its transport, its endpoints and every completion it has seen.
class RankUnderTest {
 public:
  RankUnderTest(const Subject& subject, Rank rank, int rank_count, uint64_t instance = 7,
                std::string domain = "");

  Transport& transport() { return *transport_; }
  void connect(Rank peer, BytesView address, int path);
  Endpoint& endpoint(Rank peer, int path = 0) { return *endpoints_.at({peer, path}); }
  std::unique_ptr<Endpoint> take_endpoint(Rank peer, int path = 0);
  void forget_outcomes() { done_.clear(); }

  void pump();
  bool is_ready(Rank peer, int path = 0) { return is_done(connect_token(peer, path)); }
  bool is_done(Token token) const { return done_.contains(token); }
  const std::vector<Status>& outcomes(Token token) { return done_[token]; }
  Token next_token() { return next_token_++; }
  static Token connect_token(Rank peer, int path) {
    return 1'000'000'000 + static_cast<Token>(peer) * 1000 + static_cast<Token>(path);
  }

  std::unique_ptr<Registration> expose(const Memory& memory, Access access = Access::read_write);
  std::unique_ptr<Registration> expose(Buffer& buffer, Access access = Access::read_write) {
    return expose(buffer.memory(), access);
  }

 private:
  Config config_;
  std::unique_ptr<Transport> transport_;
  std::map<std::pair<Rank, int>, std::unique_ptr<Endpoint>> endpoints_;
  std::map<Token, std::vector<Status>> done_;
  Token next_token_ = 1;
};

class Pool {
 public:
  Pool(const Subject& subject, int rank_count, int path_count = 1);
  // All pairs, all paths, and waits until they are ready.
  void connect_all();
  RankUnderTest& operator[](Rank rank) { return *ranks_[static_cast<size_t>(rank)]; }
  int size() const { return static_cast<int>(ranks_.size()); }
  void remove(Rank rank) { ranks_[static_cast<size_t>(rank)].reset(); }

  // One turn of every rank that is left.
  void pump();
  // Whether it came true in time.
  bool pump_until(const std::function<bool()>& is_true, Duration patience = kPatience);
  Status wait(RankUnderTest& rank, Token token);

  // Import at `from` of what `owner` exposed; retried while the descriptor travels.
  Remote import(Rank from, Rank owner, const Registration& registration, int path = 0);
  // Offers the copies until all are accepted and the token has completed.
  Status put(Rank from, Rank to, std::vector<Copy> copies, const Signal* signal = nullptr,
             int path = 0);
  Status get(Rank from, Rank to, std::vector<Copy> copies, int path = 0);

 private:
  std::vector<std::unique_ptr<RankUnderTest>> ranks_;
  int path_count_;
};

class Conformance : public ::testing::TestWithParam<Subject> {
 protected:
  void SetUp() override;

 private:
  std::unique_ptr<NetNamespace> network_;
};

}  // namespace unirack::testing
