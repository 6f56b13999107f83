// All-reduce beside the MPI library that started this program: one process group, both libraries in
// it, blocks of about 5 ms in turn, and an A/A run of Unirack against itself in the same call,
// which says how much of a ratio is noise. The data of both is checked to the bit.
#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "perf/common/buffer.h"
#include "perf/common/check.h"
#include "perf/common/options.h"
#include "perf/common/pair_blocks.h"
#include "perf/common/run.h"
#include "perf/common/table.h"
#include "unirack/mpi.hpp"

namespace unirack::perf {
namespace {

struct Settings {
  std::string bytes_min = "8";
  std::string bytes_max = "16M";
  double factor = 4;
  size_t pairs = 25;
  double block_ms = 5;
  std::string type = "float";
  std::string label = "default";
  std::string json_path;
};

// A sense-counting barrier and one cell a rank, in memory that MPI shares between the processes of
// this host: neither library's barrier is in the measurement.
class SharedMeeting {
 public:
  SharedMeeting(int rank, int rank_count) : rank_(rank), rank_count_(rank_count) {
    const MPI_Aint bytes = rank == 0 ? static_cast<MPI_Aint>(sizeof(Shared)) : 0;
    void* base = nullptr;
    MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &window_);
    MPI_Aint size = 0;
    int unit = 0;
    MPI_Win_shared_query(window_, 0, &size, &unit, &base);
    shared_ = static_cast<Shared*>(base);
    if (rank == 0) new (shared_) Shared();
    MPI_Barrier(MPI_COMM_WORLD);
  }
  SharedMeeting(const SharedMeeting&) = delete;
  SharedMeeting& operator=(const SharedMeeting&) = delete;
  ~SharedMeeting() { MPI_Win_free(&window_); }

  void barrier() {
    const unsigned round = shared_->round.load(std::memory_order_acquire);
    if (shared_->arrived.fetch_add(1, std::memory_order_acq_rel) == rank_count_ - 1) {
      shared_->arrived.store(0, std::memory_order_relaxed);
      shared_->round.store(round + 1, std::memory_order_release);
      return;
    }
    while (shared_->round.load(std::memory_order_acquire) == round) ::sched_yield();
  }
  double slowest(double mine) {
    shared_->cells[rank_] = mine;
    barrier();
    const double slowest = *std::max_element(shared_->cells, shared_->cells + rank_count_);
    barrier();
    return slowest;
  }

  static constexpr int kRanksMax = 256;

 private:
  struct Shared {
    std::atomic<int> arrived{0};
    std::atomic<unsigned> round{0};
    double cells[kRanksMax] = {};
  };
  int rank_;
  int rank_count_;
  MPI_Win window_ = MPI_WIN_NULL;
  Shared* shared_ = nullptr;
};

MPI_Datatype mpi_type_of(unirackDataType_t type) {
  if (type == unirackFloat32) return MPI_FLOAT;
  return type == unirackFloat64 ? MPI_DOUBLE : MPI_INT32_T;
}

struct Sizes {
  PairStatistics peer, self;
  size_t wrong_unirack = 0;
  size_t wrong_mpi = 0;
  std::string plan;
};

class Comparison {
 public:
  Comparison(api::Communicator& pool, SharedMeeting& meeting, const Settings& settings,
             unirackDataType_t type)
      : pool_(pool), meeting_(meeting), settings_(settings), type_(type) {}

  // Empty when Unirack failed; it has said so.
  std::optional<Sizes> run(size_t bytes) {
    const size_t count = bytes / size_of(type_);
    auto send = Buffer::make(pool_.handle(), bytes, Registration::none);
    auto recv = Buffer::make(pool_.handle(), bytes, Registration::none);
    if (!send || !recv) return std::nullopt;
    bool failed = false;
    const Contestant unirack{[&] {
      const unirackResult_t code = unirackAllReduce(send->data(), recv->data(), count, type_,
                                                    unirackSum, pool_.handle(), nullptr);
      if (code != unirackSuccess && !failed) {
        report_failure(pool_.rank(), api::to_status(code, pool_.handle()).error());
        failed = true;
      }
    }};
    const Contestant mpi{[&] {
      MPI_Allreduce(send->data(), recv->data(), static_cast<int>(count), mpi_type_of(type_),
                    MPI_SUM, MPI_COMM_WORLD);
    }};
    Sizes result;
    result.wrong_unirack = wrong_of(unirack, *send, *recv, count);
    result.plan = plan_of(pool_.explain());
    result.wrong_mpi = wrong_of(mpi, *send, *recv, count);
    if (failed) return std::nullopt;
    const Meeting meeting{[&] { meeting_.barrier(); },
                          [&](double mine) { return meeting_.slowest(mine); }};
    const double block_us = settings_.block_ms * 1e3;
    const size_t ours = operations_for(unirack, block_us, meeting);
    const size_t theirs = operations_for(mpi, block_us, meeting);
    result.peer = summarize(run_pairs(unirack, mpi, ours, theirs, settings_.pairs, meeting));
    result.self = summarize(run_pairs(unirack, unirack, ours, ours, settings_.pairs, meeting));
    if (failed) return std::nullopt;
    return result;
  }

 private:
  // Of all ranks; MPI adds it up.
  size_t wrong_of(const Contestant& contestant, Buffer& send, Buffer& recv, size_t count) {
    const Oracle oracle(type_, Op::sum, pool_.size(), ++seed_);
    const size_t element = size_of(type_);
    fill_blocks(oracle, {{0, count, pool_.rank(), 0}}, element, send.data());
    recv.poison(count * element);
    contestant.run();
    const Wrong wrong = count_wrong(oracle, {{0, count, kReduced, 0}}, element, recv.data());
    if (wrong.count > 0) fmt::print(stderr, "rank {}: {}\n", pool_.rank(), wrong.first);
    uint64_t mine = wrong.count;
    uint64_t sum = 0;
    MPI_Allreduce(&mine, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    return sum;
  }

  api::Communicator& pool_;
  SharedMeeting& meeting_;
  const Settings& settings_;
  unirackDataType_t type_;
  uint64_t seed_ = 0;
};

nlohmann::json to_json(const PairStatistics& pair) {
  return {{"first_us", pair.first_us},
          {"second_us", pair.second_us},
          {"ratio", pair.ratio},
          {"p10", pair.ratio_p10},
          {"p90", pair.ratio_p90}};
}

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string version(text, static_cast<size_t>(length));
  return version.substr(0, version.find(','));
}

void print_header(const Settings& settings, int rank_count) {
  fmt::print("# unirack {}.{}.{} against {}, {}, {} ranks, {} pairs of {} ms blocks, {} sum\n",
             UNIRACK_MAJOR, UNIRACK_MINOR, UNIRACK_PATCH, mpi_version(), settings.label, rank_count,
             settings.pairs, settings.block_ms, settings.type);
  fmt::print("# ratio = unirack time / MPI time, below 1 is faster; A/A = unirack / unirack\n");
  fmt::print("# {:>10}  {:>12}  {:>12}  {:>6} [{:>5} {:>5}]  {:>6} [{:>5} {:>5}]  {:>6}  plan\n",
             "size (B)", "unirack (us)", "MPI (us)", "ratio", "p10", "p90", "A/A", "p10", "p90",
             "#wrong");
}

// The exit code.
int compare(api::Communicator& pool, const Settings& settings) {
  SharedMeeting meeting(pool.rank(), pool.size());
  const unirackDataType_t type = parse_types(settings.type).front();
  Comparison comparison(pool, meeting, settings, type);
  Options sweep;
  sweep.bytes_min = *parse_bytes(settings.bytes_min);
  sweep.bytes_max = *parse_bytes(settings.bytes_max);
  sweep.step_factor = settings.factor;
  nlohmann::json rows = nlohmann::json::array();
  size_t wrong = 0;
  if (pool.rank() == 0) print_header(settings, pool.size());
  for (size_t bytes : sweep_sizes(sweep)) {
    const std::optional<Sizes> row = comparison.run(bytes);
    if (!row) return kExitFailure;
    wrong += row->wrong_unirack + row->wrong_mpi;
    if (pool.rank() != 0) continue;
    fmt::print(
        "{:>12}  {:>12.2f}  {:>12.2f}  {:>6.2f} [{:>5.2f} {:>5.2f}]  {:>6.2f} [{:>5.2f} {:>5.2f}]"
        "  {:>6}  {}\n",
        bytes, row->peer.first_us, row->peer.second_us, row->peer.ratio, row->peer.ratio_p10,
        row->peer.ratio_p90, row->self.ratio, row->self.ratio_p10, row->self.ratio_p90,
        row->wrong_unirack + row->wrong_mpi, row->plan);
    std::fflush(stdout);
    rows.push_back({{"size", bytes},
                    {"plan", row->plan},
                    {"peer", to_json(row->peer)},
                    {"self", to_json(row->self)},
                    {"wrong_unirack", row->wrong_unirack},
                    {"wrong_mpi", row->wrong_mpi}});
  }
  if (pool.rank() == 0 && !settings.json_path.empty()) {
    std::ofstream file(settings.json_path);
    file << nlohmann::json{{"schema", 1},
                           {"label", settings.label},
                           {"mpi", mpi_version()},
                           {"ranks", pool.size()},
                           {"type", settings.type},
                           {"pairs", settings.pairs},
                           {"block_ms", settings.block_ms},
                           {"results", rows}}
                .dump(2)
         << '\n';
    if (!file.flush()) return kExitUsage;
  }
  return wrong > 0 ? 1 : 0;
}

void add_options(CLI::App& app, Settings& settings) {
  const CLI::Validator bytes(
      [](std::string& text) {
        return parse_bytes(text) ? std::string() : "expected bytes such as 8, 64K or 16M";
      },
      "BYTES");
  app.add_option("-b,--minbytes", settings.bytes_min, "first size (default 8)")->check(bytes);
  app.add_option("-e,--maxbytes", settings.bytes_max, "last size (default 16M)")->check(bytes);
  app.add_option("-f,--stepfactor", settings.factor, "factor between sizes (default 4)")
      ->check(CLI::Range(1.01, 1e6));
  app.add_option("--pairs", settings.pairs, "pairs of blocks a size (default 25)")
      ->check(CLI::Range(size_t{1}, size_t{10000}));
  app.add_option("--block-ms", settings.block_ms, "length of a block (default 5)")
      ->check(CLI::Range(0.1, 1000.0));
  app.add_option("-d,--datatype", settings.type, "float, double or int32 (default float)")
      ->check(CLI::IsMember({"float", "double", "int32"}));
  app.add_option("--label", settings.label, "how MPI was configured, for the tables");
  app.add_option("-J,--json", settings.json_path, "write the results to this file");
  app.footer(
      "EXAMPLE\n  mpirun -np 2 --mca btl self,vader peer_all_reduce -e 1M\n"
      "  scripts/peers.sh runs shared memory and TCP with the settings that suit Open MPI.");
}

}  // namespace

int run_main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Compares all-reduce with the MPI library that starts it. Run it with mpirun.");
  add_options(app, settings);
  CLI11_PARSE(app, argc, argv);
  MPI_Init(nullptr, nullptr);
  int rank = 0;
  int rank_count = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &rank_count);
  int code = kExitUsage;
  if (rank_count > SharedMeeting::kRanksMax) {
    fmt::print(stderr, "at most {} ranks\n", SharedMeeting::kRanksMax);
  } else if (auto pool = mpi::communicator(MPI_COMM_WORLD); !pool) {
    code = report_failure(rank, pool.error());
  } else {
    code = compare(*pool, settings);
  }
  if (code == kExitFailure) MPI_Abort(MPI_COMM_WORLD, code);
  MPI_Finalize();
  return code;
}

}  // namespace unirack::perf

int main(int argc, char** argv) { return unirack::perf::run_main(argc, argv); }
