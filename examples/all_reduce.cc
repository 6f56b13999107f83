// Four ranks, as threads of this process, add up their vectors, first in ordinary memory, then in
// symmetric memory and asynchronously.
#include <algorithm>
#include <cstdio>
#include <thread>
#include <vector>

#include "unirack/unirack.hpp"

namespace ur = unirack::api;

namespace {

constexpr int kRanks = 4;
constexpr size_t kCount = 1000;
constexpr float kSum = 0 + 1 + 2 + 3;

template <class Range>
bool all_equal(const Range& data, float value) {
  return std::all_of(data.begin(), data.end(), [value](float x) { return x == value; });
}

ur::Result<bool> add_up(ur::Communicator& pool) {
  std::vector<float> data(kCount, static_cast<float>(pool.rank()));
  if (ur::Status status = pool.all_reduce(data); !status) return status.error();
  if (!all_equal(data, kSum)) return false;

  auto shared = pool.allocate<float>(kCount);
  if (!shared) return shared.error();
  std::fill(shared->begin(), shared->end(), static_cast<float>(pool.rank()));
  auto work = pool.start([&] { return pool.all_reduce(*shared, unirackMax); });
  if (!work) return work.error();
  if (ur::Status status = work->wait(); !status) return status.error();
  return all_equal(*shared, kRanks - 1);
}

bool run_rank(ur::Communicator& pool) {
  const ur::Result<bool> right = add_up(pool);
  if (!right) std::fprintf(stderr, "rank %d: %s\n", pool.rank(), right.error().text.c_str());
  return right && *right;
}

}  // namespace

int main() {
  auto pool = ur::Communicator::join_threads(kRanks);
  if (!pool) {
    std::fprintf(stderr, "%s\n", pool.error().text.c_str());
    return 1;
  }
  std::vector<char> right(kRanks);
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([&, rank] { right[rank] = run_rank((*pool)[rank]); });
  }
  for (std::thread& thread : threads) thread.join();
  const bool all_right = std::count(right.begin(), right.end(), true) == kRanks;
  std::puts(all_right ? "the sums are right" : "wrong");
  return all_right ? 0 : 1;
}
