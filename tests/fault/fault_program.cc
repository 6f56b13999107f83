// Kills or stops one of several ranks at a random moment of a stream of collectives, again and
// again, and measures how long every other rank takes to return an error that names the culprit.
//
//   unirack_fault --kill 200 --stop 50 [--ranks 4] [--seed 1] [--transports shm,tcp] [--domains 2]
//
// Prints a table (p50, p99, max in ms by kind and transport) and one line `N passed, N failed`.
// A repetition fails if a rank hangs, returns another error, or names another rank. Exit status 1
// on any failure. Processes are started by fork and ended by id; nothing else is touched.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "include/unirack/unirack.h"
#include "lib/base/clock.h"
#include "lib/base/random.h"

namespace {

using unirack::Clock;
using unirack::milliseconds;
using unirack::now;

constexpr int kRanksMax = 16;
constexpr auto kHangLimit = std::chrono::seconds(20);

// What a rank saw. Shared memory of the repetition's processes.
struct Seen {
  std::atomic<int> done = 0;  // 1: returned an error, 2: could not join
  int code = 0;
  int culprit = -1;
  int64_t at_ns = 0;
  char text[256] = {};
};

struct Board {
  std::atomic<int> id_ready = 0;
  unirackUniqueId id;
  std::array<std::atomic<int>, kRanksMax> rounds{};
  std::array<Seen, kRanksMax> seen;
};

struct Options {
  int kills = 0;
  int stops = 0;
  int ranks = 4;
  uint64_t seed = 1;
  std::string transports;
  int domains = 1;
};

int64_t to_ns(Clock::time_point at) { return at.time_since_epoch().count(); }

void note(Seen& seen, int kind, unirackComm_t comm, unirackResult_t result) {
  seen.at_ns = to_ns(now());
  seen.code = result;
  int count = 1;
  if (comm != nullptr) unirackCommGetFailedRanks(comm, &seen.culprit, &count);
  std::strncpy(seen.text, unirackGetLastError(comm), sizeof(seen.text) - 1);
  seen.done.store(kind, std::memory_order_release);
}

// A rank: collectives of changing size until one fails.
[[noreturn]] void be_rank(Board& board, const Options& options, int rank) {
  if (rank == 0) {
    if (unirackGetUniqueId(&board.id) != unirackSuccess) _exit(2);
    board.id_ready.store(1, std::memory_order_release);
  }
  while (board.id_ready.load(std::memory_order_acquire) == 0) std::this_thread::yield();
  unirackConfig_t config = UNIRACK_CONFIG_INITIALIZER;
  const std::string domain = "rack" + std::to_string(rank * options.domains / options.ranks);
  config.domain = domain.c_str();
  if (!options.transports.empty()) config.transports = options.transports.c_str();
  unirackComm_t comm = nullptr;
  unirackResult_t result = unirackCommInitRankConfig(&comm, options.ranks, board.id, rank, &config);
  Seen& seen = board.seen[static_cast<size_t>(rank)];
  if (result != unirackSuccess) {
    note(seen, 2, nullptr, result);
    _exit(1);
  }
  std::vector<float> data(1 << 18, 1.0F);
  std::vector<float> other(data.size());
  for (int round = 0; result == unirackSuccess; ++round) {
    const size_t count = size_t{1} << (round * 5 % 19);
    result = round % 3 == 0   ? unirackAllReduce(data.data(), other.data(), count, unirackFloat,
                                                 unirackSum, comm, nullptr)
             : round % 3 == 1 ? unirackBroadcast(data.data(), other.data(), count, unirackFloat,
                                                 round % options.ranks, comm, nullptr)
                              : unirackAlltoAll(data.data(), other.data(),
                                                count / static_cast<size_t>(options.ranks),
                                                unirackFloat, comm, nullptr);
    board.rounds[static_cast<size_t>(rank)].store(round, std::memory_order_relaxed);
  }
  note(seen, 1, comm, result);
  unirackCommDestroy(comm);
  _exit(0);
}

struct Outcome {
  bool passed = true;
  std::string why;
  std::vector<double> detection_ms;
};

class Repetition {
 public:
  Repetition(const Options& options, uint64_t seed, int signal_number)
      : options_(options), random_(seed), signal_(signal_number) {
    void* memory =
        mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    board_ = new (memory) Board;
  }
  ~Repetition() {
    for (const pid_t pid : pids_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    munmap(board_, sizeof(Board));
  }
  Repetition(const Repetition&) = delete;
  Repetition& operator=(const Repetition&) = delete;

  Outcome run() {
    for (int rank = 0; rank < options_.ranks; ++rank) {
      const pid_t pid = fork();
      if (pid == 0) be_rank(*board_, options_, rank);
      pids_.push_back(pid);
    }
    const auto started = now();
    while (!all_began()) {
      if (now() - started > kHangLimit) return failed("ranks did not join");
      usleep(1000);
    }
    usleep(static_cast<useconds_t>(random_() % 50'000));
    const auto victim = static_cast<int>(random_() % static_cast<uint64_t>(options_.ranks));
    const auto at = now();
    kill(pids_[static_cast<size_t>(victim)], signal_);
    while (!all_ended(victim)) {
      if (now() - at > kHangLimit) return failed("a rank hangs");
      usleep(500);
    }
    return judge(victim, to_ns(at));
  }

 private:
  static Outcome failed(const std::string& why) { return {false, why, {}}; }

  bool all_began() const {
    for (int rank = 0; rank < options_.ranks; ++rank) {
      if (board_->rounds[static_cast<size_t>(rank)].load() < 3) return false;
    }
    return true;
  }
  bool all_ended(int victim) const {
    for (int rank = 0; rank < options_.ranks; ++rank) {
      const auto& seen = board_->seen[static_cast<size_t>(rank)];
      if (rank != victim && seen.done.load(std::memory_order_acquire) == 0) return false;
    }
    return true;
  }
  Outcome judge(int victim, int64_t at_ns) const {
    Outcome outcome;
    const int expected = signal_ == SIGKILL ? unirackPeerFailed : unirackTimeout;
    for (int rank = 0; rank < options_.ranks; ++rank) {
      if (rank == victim) continue;
      const Seen& seen = board_->seen[static_cast<size_t>(rank)];
      outcome.detection_ms.push_back(static_cast<double>(seen.at_ns - at_ns) / 1e6);
      if (seen.code != expected || seen.culprit != victim) {
        outcome.passed = false;
        outcome.why = "victim " + std::to_string(victim) + ", but rank " + std::to_string(rank) +
                      " said " + seen.text;
      }
    }
    return outcome;
  }

  const Options& options_;
  unirack::Random random_;
  const int signal_;
  Board* board_ = nullptr;
  std::vector<pid_t> pids_;
};

double percentile(const std::vector<double>& sorted, double p) {
  return sorted[static_cast<size_t>(p * static_cast<double>(sorted.size() - 1))];
}

int run_kind(const Options& options, const char* name, int signal_number, int repetitions) {
  std::vector<double> times;
  int failures = 0;
  for (int i = 0; i < repetitions; ++i) {
    const uint64_t seed = options.seed * 1'000'003 + static_cast<uint64_t>(i);
    const Outcome outcome = Repetition(options, seed, signal_number).run();
    times.insert(times.end(), outcome.detection_ms.begin(), outcome.detection_ms.end());
    if (!outcome.passed) {
      ++failures;
      std::printf("# %s repetition %d: %s\n", name, i, outcome.why.c_str());
    }
    if (isatty(1) != 0) std::fprintf(stderr, "\r%s %d/%d", name, i + 1, repetitions);
  }
  if (isatty(1) != 0) std::fprintf(stderr, "\r");
  std::sort(times.begin(), times.end());
  if (times.empty()) return failures;
  std::printf("| %s | %s | %d | %d | %d | %.1f | %.1f | %.1f |\n", name,
              options.transports.empty() ? "all" : options.transports.c_str(), options.domains,
              repetitions, failures, percentile(times, 0.5), percentile(times, 0.99), times.back());
  std::fflush(stdout);
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Kills or stops ranks at random moments and measures who is named, how fast."};
  app.add_option("--kill", options.kills, "repetitions of SIGKILL");
  app.add_option("--stop", options.stops, "repetitions of SIGSTOP");
  app.add_option("--ranks", options.ranks, "ranks")->check(CLI::Range(2, kRanksMax));
  app.add_option("--seed", options.seed, "seed of moments and victims");
  app.add_option("--transports", options.transports, "as UNIRACK_TRANSPORTS");
  app.add_option("--domains", options.domains, "emulated racks")->check(CLI::Range(1, kRanksMax));
  CLI11_PARSE(app, argc, argv);
  std::printf(
      "| fault | transports | domains | repetitions | failures | p50 ms | p99 ms | max ms |\n"
      "|---|---|---|---|---|---|---|---|\n");
  std::fflush(stdout);
  const int failures = run_kind(options, "SIGKILL", SIGKILL, options.kills) +
                       run_kind(options, "SIGSTOP", SIGSTOP, options.stops);
  const int total = options.kills + options.stops;
  std::printf("%d passed, %d failed\n", total - failures, failures);
  return failures == 0 ? 0 : 1;
}
