#include "perf/common/launch.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "perf/common/environment.h"
#include "perf/common/fork.h"
#ifdef UNIRACK_PERF_MPI
#include "unirack/mpi.hpp"
#endif

namespace unirack::perf {
std::optional<int> mpirun_rank() {
  // Open MPI; MPICH and Intel MPI.
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK"}) {
    if (const std::optional<int> rank = environment_number(name)) return rank;
  }
  return std::nullopt;
}

Session Session::start(int np) {
  Session session;
  if (mpirun_rank()) {
    if (np > 0) {
      fmt::print(stderr, "--np starts processes itself: use either mpirun or --np\n");
      session.exit_code_ = 2;
      return session;
    }
#ifdef UNIRACK_PERF_MPI
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &session.process_index_);
    MPI_Comm_size(MPI_COMM_WORLD, &session.process_count_);
    session.uses_mpi_ = true;
#else
    fmt::print(stderr, "started by mpirun, but built without MPI: use --np\n");
    session.exit_code_ = 2;
#endif
    return session;
  }
  if (np > 0) {
    const ForkOutcome outcome = fork_processes(np);
    session.exit_code_ = outcome.exit_code;
    session.process_index_ = outcome.process_index;
    session.process_count_ = np;
    return session;
  }
  // Started by hand or by another launcher, one process a host perhaps.
  const std::optional<int> rank = environment_number("UNIRACK_RANK");
  const std::optional<int> count = environment_number("UNIRACK_RANK_COUNT");
  if (!environment("UNIRACK_RENDEZVOUS").empty() && rank && count && *rank < *count) {
    session.process_index_ = *rank;
    session.process_count_ = *count;
  }
  return session;
}

Session::Session(Session&& other) noexcept
    : exit_code_(other.exit_code_),
      process_index_(other.process_index_),
      process_count_(other.process_count_),
      uses_mpi_(std::exchange(other.uses_mpi_, false)) {}

Session::~Session() {
#ifdef UNIRACK_PERF_MPI
  if (uses_mpi_) MPI_Finalize();
#endif
}

api::Result<unirackUniqueId> Session::unique_id() const {
#ifdef UNIRACK_PERF_MPI
  if (uses_mpi_) return mpi::unique_id(MPI_COMM_WORLD);
#endif
  return api::unique_id();
}

}  // namespace unirack::perf
