// unirack-topo measure: what the links of a pool really do, beside what they nominally do.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/topology/discover/discover.h"
#include "perf/common/options.h"
#include "perf/common/run.h"
#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/machine.h"
#include "perf/topo/pairs.h"

namespace unirack::topo {

namespace {

class Measure : public Command {
 public:
  Measure(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "measure",
                        "latency and bandwidth between ranks, beside the nominal values");
    command.number("--np", np_, 2, 1024,
                   "start so many processes on this machine, instead of mpirun");
    command.option("--domains", "N+N", domains_,
                   "emulate racks of so many ranks, such as 2+2, with the network between them");
    command.bytes("--bytes", options_.bytes, 1, uint64_t{1} << 32, "the large message");
    command.number("--iterations", options_.iterations, 1, 1'000'000,
                   "round trips of the small message");
    command.flag("--json", json_, "every pair, as JSON");
    command.footer(
        "Pairs of ranks are measured one after another, the others wait. Latency is half a round\n"
        "trip of 8 bytes, bandwidth that of one large message in one direction; both are medians,\n"
        "shown as least, median and most over the pairs of a class. In a pool of more than eight\n"
        "ranks each is measured with its neighbour and with the one opposite. Nominal is what the\n"
        "fastest network port of this machine can do; - where nothing nominal is known, as for\n"
        "memory, or where all ranks are on one machine and no port is passed.\n\n"
        "EXIT STATUS\n  0 measured, 3 bad usage, or a rank failed\n\n"
        "EXAMPLES\n"
        "  mpirun -np 4 unirack-topo measure\n"
        "  unirack-topo measure --np 4 --domains 2+2 --bytes 64M --json");
  }

  int run() override {
    perf::Options ranks;
    ranks.np = static_cast<int>(np_);
    ranks.domains = perf::parse_domains(domains_);
    if (!domains_.empty() && ranks.domains.empty()) {
      return console_.fail("--domains: expected sizes such as 2+2, found '" + domains_ + "'");
    }
    perf::Session session = perf::Session::start(ranks.np);
    if (session.exit_code()) return *session.exit_code() == 0 ? kExitOk : kExitFailure;
    const int count = session.process_count();
    int in_domains = 0;
    for (const int size : ranks.domains) in_domains += size;
    if (session.process_index() == 0) {
      if (count < 2) {
        return console_.fail("measuring needs several ranks: use mpirun, or --np N");
      }
      if (!ranks.domains.empty() && in_domains != count) {
        return console_.fail(fmt::format("--domains: {} has {} ranks, but there are {}", domains_,
                                         in_domains, count));
      }
    } else if (count < 2 || (!ranks.domains.empty() && in_domains != count)) {
      return kExitFailure;
    }
    return perf::run_ranks(session, ranks,
                           [&](api::Communicator& communicator) { return measure(communicator); });
  }

 private:
  int measure(api::Communicator& communicator) {
    const bool speaks = communicator.rank() == 0;
    std::unique_ptr<Progress> progress;
    if (speaks) progress = std::make_unique<Progress>(console_, "measuring");
    const auto pairs = measure_pairs(communicator, options_);
    progress.reset();
    if (!pairs) return perf::report_failure(communicator.rank(), pairs.error());
    if (!speaks) return kExitOk;
    console_.print(json_ ? json_text(*pairs) : table_text(*pairs, communicator.size()));
    return kExitOk;
  }

  std::string table_text(const std::vector<PairResult>& pairs, int rank_count) const {
    std::string text = fmt::format(
        "{} ranks, {}; latency of 8 bytes in us, bandwidth of {} bytes in GB/s\n", rank_count,
        pairs.size() == 1 ? "1 pair" : fmt::format("{} pairs", pairs.size()), options_.bytes);
    const auto classes = by_class(pairs);
    size_t width = 10;
    for (const ClassResult& each : classes) width = std::max(width, each.link_class.size());
    text +=
        fmt::format("{:<{}}  {:>5}  {:>8} {:>8} {:>8}  {:>8} {:>8} {:>8} {:>8}\n", "link", width,
                    "pairs", "least", "latency", "most", "least", "GB/s", "most", "nominal");
    for (const ClassResult& each : classes) {
      const std::string nominal =
          each.nominal_gb_s > 0 ? fmt::format("{:.2f}", each.nominal_gb_s) : "-";
      text += fmt::format(
          "{:<{}}  {:>5}  {:>8.2f} {:>8.2f} {:>8.2f}  {:>8.2f} {:>8.2f} {:>8.2f} {:>8}\n",
          each.link_class, width, each.pairs, each.latency_us[0], each.latency_us[1],
          each.latency_us[2], each.bandwidth_gb_s[0], each.bandwidth_gb_s[1],
          each.bandwidth_gb_s[2], nominal);
    }
    return text;
  }

  std::string json_text(const std::vector<PairResult>& pairs) const {
    nlohmann::ordered_json json{{"bytes", options_.bytes}};
    json["classes"] = nlohmann::ordered_json::array();
    for (const ClassResult& each : by_class(pairs)) {
      json["classes"].push_back({{"link", each.link_class},
                                 {"pairs", each.pairs},
                                 {"latency_us", each.latency_us},
                                 {"bandwidth_gb_per_s", each.bandwidth_gb_s},
                                 {"nominal_gb_per_s", each.nominal_gb_s}});
    }
    json["pairs"] = nlohmann::ordered_json::array();
    for (const PairResult& pair : pairs) {
      json["pairs"].push_back({{"ranks", {pair.a, pair.b}},
                               {"link", pair.link_class},
                               {"latency_us", pair.latency_us},
                               {"bandwidth_gb_per_s", pair.bandwidth_gb_s},
                               {"nominal_gb_per_s", pair.nominal_gb_s}});
    }
    return json.dump(2) + "\n";
  }

  const Console& console_;
  PairOptions options_;
  uint64_t np_ = 0;
  std::string domains_;
  bool json_ = false;
};

}  // namespace

CommandPointer make_measure(CLI::App& app, const Console& console) {
  return std::make_unique<Measure>(app, console);
}

}  // namespace unirack::topo
