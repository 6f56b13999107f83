// A rank of Gloo in the racks lab: SOCKET NAME INTERFACE RANK RANKS FOLDER. racks.py compiles it
// against libgloo-dev. One operation of Gloo uses one interface, however many a context is given.
#include <gloo/algorithm.h>
#include <gloo/allgather.h>
#include <gloo/allreduce.h>
#include <gloo/alltoall.h>
#include <gloo/math.h>
#include <gloo/reduce_scatter.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>

#include <cstdlib>
#include <memory>

#include "perf/racks/worker.h"

namespace unirack::perf::racks {
namespace {

constexpr auto kPatience = std::chrono::seconds(120);

class Gloo {
 public:
  Gloo(int rank, int ranks, const char* interface, const char* folder)
      : context_(std::make_shared<gloo::rendezvous::Context>(rank, ranks)) {
    gloo::transport::tcp::attr attributes;
    attributes.iface = interface;
    auto device = gloo::transport::tcp::CreateDevice(attributes);
    gloo::rendezvous::FileStore store(folder);
    context_->setTimeout(kPatience);
    context_->connectFullMesh(store, device);
  }

  void run(const Operation& at) {
    auto* const send = const_cast<float*>(at.send);
    const auto ranks = static_cast<size_t>(context_->size);
    switch (at.collective) {
      case Collective::all_reduce: {
        gloo::AllreduceOptions options(context_);
        options.setInput(send, at.count);
        options.setOutput(at.recv, at.count);
        void (*const add)(void*, const void*, const void*, size_t) = &gloo::sum<float>;
        options.setReduceFunction(add);
        gloo::allreduce(options);
        return;
      }
      case Collective::all_gather: {
        gloo::AllgatherOptions options(context_);
        options.setInput(send, at.count);
        options.setOutput(at.recv, at.count * ranks);
        gloo::allgather(options);
        return;
      }
      case Collective::all_to_all: {
        gloo::AlltoallOptions options(context_);
        options.setInput(send, at.count * ranks);
        options.setOutput(at.recv, at.count * ranks);
        gloo::alltoall(options);
        return;
      }
      case Collective::reduce_scatter:
        reduce_scatter(at, ranks);
    }
  }

 private:
  // Works in place on a copy, as its interface has it.
  void reduce_scatter(const Operation& at, size_t ranks) {
    const std::vector<int> counts(ranks, static_cast<int>(at.count));
    work_.assign(at.send, at.send + at.count * ranks);
    gloo::ReduceScatterHalvingDoubling<float> algorithm(context_, {work_.data()},
                                                        static_cast<int>(work_.size()), counts);
    algorithm.run();
    std::copy_n(work_.data(), at.count, at.recv);
  }

  std::shared_ptr<gloo::rendezvous::Context> context_;
  std::vector<float> work_;
};

int run_main(int argc, char** argv) {
  if (argc != 7) return 2;
  Contestant contestant;
  contestant.name = argv[2];
  contestant.rank = static_cast<int>(std::strtol(argv[4], nullptr, 10));
  contestant.rank_count = static_cast<int>(std::strtol(argv[5], nullptr, 10));
  try {
    Gloo gloo(contestant.rank, contestant.rank_count, argv[3], argv[6]);
    contestant.run = [&gloo](const Operation& operation) {
      try {
        gloo.run(operation);
        return std::string();
      } catch (const std::exception& error) {
        return std::string(error.what());
      }
    };
    Worker(std::move(contestant), argv[1]).serve();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace unirack::perf::racks

int main(int argc, char** argv) { return unirack::perf::racks::run_main(argc, argv); }
