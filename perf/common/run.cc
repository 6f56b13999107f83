#include "perf/common/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <thread>

#include "perf/common/sweep.h"

namespace unirack::perf {
namespace {

api::Config config_of(const Options& options, int rank) {
  api::Config config;
  config.domain = domain_of(options, rank);
  config.operation_timeout = std::chrono::seconds(options.timeout_s);
  return config;
}

// Why this number of ranks cannot run; empty when it can.
std::string check_rank_count(const Options& options, Collective& collective, int rank_count) {
  const int in_domains = std::accumulate(options.domains.begin(), options.domains.end(), 0);
  if (in_domains > 0 && in_domains != rank_count) {
    return fmt::format("--domains has {} ranks, but {} run", in_domains, rank_count);
  }
  if (options.root >= rank_count) return fmt::format("-r: there are only {} ranks", rank_count);
  return collective.validate(rank_count);
}

}  // namespace

int report_failure(int rank, const api::Error& error) {
  fmt::print(stderr, "rank {}: {}\n", rank, error.text);
  return kExitFailure;
}

int run_ranks(Session& session, const Options& options, const RankBody& body) {
  const int here = options.ranks_per_process();
  const int rank_count = session.process_count() * here;
  const auto id = session.unique_id();
  if (!id) return report_failure(session.process_index() * here, id.error());
  std::vector<int> codes(static_cast<size_t>(here), kExitFailure);
  const auto run_rank = [&](int local) {
    const int rank = session.process_index() * here + local;
    auto communicator = api::Communicator::join(*id, rank, rank_count, config_of(options, rank));
    int& code = codes[static_cast<size_t>(local)];
    code = communicator ? body(*communicator) : report_failure(rank, communicator.error());
    // Left in order only when all went well: the others may be gone.
    if (code == kExitFailure && communicator) {
      if (api::Status status = communicator->abort(); !status) report_failure(rank, status.error());
    }
  };
  std::vector<std::thread> threads;
  for (int local = 1; local < here; ++local) threads.emplace_back(run_rank, local);
  run_rank(0);
  for (std::thread& thread : threads) thread.join();
  const int code = *std::max_element(codes.begin(), codes.end());
  if (code == kExitFailure) session.abandon();
  return code;
}

int perf_main(Collective& collective, int argc, char** argv) {
  ParseOutcome parsed = parse_options(collective, {argv + 1, argv + argc});
  if (!parsed.options) {
    // Under mpirun once is enough.
    if (mpirun_rank().value_or(0) == 0) {
      std::fputs(parsed.text.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    }
    return parsed.exit_code;
  }
  const Options& options = *parsed.options;
  Session session = Session::start(options.np);
  if (session.exit_code()) return *session.exit_code();
  const int rank_count = session.process_count() * options.ranks_per_process();
  const bool speaks = session.process_index() == 0;
  if (const std::string why = check_rank_count(options, collective, rank_count); !why.empty()) {
    if (speaks) fmt::print(stderr, "{}: {}\n", collective.name(), why);
    return kExitUsage;
  }
  if (!collective.supports(rank_count)) {
    if (speaks) {
      fmt::print("# {}: skipping, {} ranks are not a power of two\n", collective.name(),
                 rank_count);
    }
    return 0;
  }
  return run_ranks(session, options, [&](api::Communicator& communicator) {
    return Sweep(collective, options, communicator).run();
  });
}

}  // namespace unirack::perf
