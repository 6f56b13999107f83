// A rank of Unirack in the racks lab; joins the pool of the environment.
#include <cstdio>

#include "perf/racks/worker.h"
#include "unirack/unirack.h"

namespace unirack::perf::racks {
namespace {

unirackResult_t call(const Operation& at, unirackComm_t comm) {
  switch (at.collective) {
    case Collective::all_reduce:
      return unirackAllReduce(at.send, at.recv, at.count, unirackFloat, unirackSum, comm, nullptr);
    case Collective::all_gather:
      return unirackAllGather(at.send, at.recv, at.count, unirackFloat, comm, nullptr);
    case Collective::reduce_scatter:
      return unirackReduceScatter(at.send, at.recv, at.count, unirackFloat, unirackSum, comm,
                                  nullptr);
    case Collective::all_to_all:
      return unirackAlltoAll(at.send, at.recv, at.count, unirackFloat, comm, nullptr);
  }
  return unirackInvalidArgument;
}

int run_main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s SOCKET NAME\n", argv[0]);
    return 2;
  }
  unirackComm_t comm = nullptr;
  if (unirackCommInitEnvironment(&comm) != unirackSuccess) {
    std::fprintf(stderr, "%s\n", unirackGetLastError(nullptr));
    return 1;
  }
  Contestant contestant;
  contestant.name = argv[2];
  unirackCommUserRank(comm, &contestant.rank);
  unirackCommCount(comm, &contestant.rank_count);
  contestant.run = [comm](const Operation& operation) {
    if (call(operation, comm) == unirackSuccess) return std::string();
    return std::string(unirackGetLastError(comm));
  };
  contestant.explain = [comm] {
    const std::string text = unirackExplain(comm);
    return text.substr(0, text.find('\n'));
  };
  Worker(std::move(contestant), argv[1]).serve();
  return unirackCommDestroy(comm) == unirackSuccess ? 0 : 1;
}

}  // namespace
}  // namespace unirack::perf::racks

int main(int argc, char** argv) { return unirack::perf::racks::run_main(argc, argv); }
