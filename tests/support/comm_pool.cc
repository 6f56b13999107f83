#include "tests/support/comm_pool.h"

#include <atomic>
#include <thread>
#include <vector>

namespace unirack::testing {

bool run_ranks(int rank_count, const unirackConfig_t& config,
               const std::function<void(int rank, unirackComm_t comm)>& body) {
  unirackUniqueId id;
  if (unirackGetUniqueId(&id) != unirackSuccess) return false;
  std::atomic<int> joined = 0;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < rank_count; ++rank) {
    threads.emplace_back([&, rank] {
      unirackComm_t comm = nullptr;
      if (unirackCommInitRankConfig(&comm, rank_count, id, rank, &config) != unirackSuccess) return;
      ++joined;
      body(rank, comm);
      unirackCommDestroy(comm);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return joined == rank_count;
}

bool run_ranks(int rank_count, const std::function<void(int rank, unirackComm_t comm)>& body) {
  const unirackConfig_t config = UNIRACK_CONFIG_INITIALIZER;
  return run_ranks(rank_count, config, body);
}

}  // namespace unirack::testing
