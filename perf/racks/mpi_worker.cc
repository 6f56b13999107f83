// A rank of an MPI library in the racks lab. racks.py compiles it against each library it finds.
#include <mpi.h>

#include "perf/racks/worker.h"

namespace unirack::perf::racks {
namespace {

std::string call(const Operation& at) {
  const int count = static_cast<int>(at.count);
  int code = MPI_SUCCESS;
  switch (at.collective) {
    case Collective::all_reduce:
      code = MPI_Allreduce(at.send, at.recv, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      break;
    case Collective::all_gather:
      code = MPI_Allgather(at.send, count, MPI_FLOAT, at.recv, count, MPI_FLOAT, MPI_COMM_WORLD);
      break;
    case Collective::reduce_scatter:
      code = MPI_Reduce_scatter_block(at.send, at.recv, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      break;
    case Collective::all_to_all:
      code = MPI_Alltoall(at.send, count, MPI_FLOAT, at.recv, count, MPI_FLOAT, MPI_COMM_WORLD);
      break;
  }
  return code == MPI_SUCCESS ? "" : "MPI error " + std::to_string(code);
}

int run_main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  Contestant contestant;
  MPI_Comm_rank(MPI_COMM_WORLD, &contestant.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &contestant.rank_count);
  if (argc == 3) {
    contestant.name = argv[2];
    contestant.run = call;
    Worker(std::move(contestant), argv[1]).serve();
  }
  MPI_Finalize();
  return argc == 3 ? 0 : 2;
}

}  // namespace
}  // namespace unirack::perf::racks

int main(int argc, char** argv) { return unirack::perf::racks::run_main(argc, argv); }
