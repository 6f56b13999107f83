#include "perf/topo/pairs.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "perf/common/measure.h"
#include "perf/common/statistics.h"

namespace unirack::topo {

namespace {

constexpr int kAllPairsMax = 8;  // ranks up to which every pair is measured
constexpr size_t kRepeats = 5;   // of the large message

// "0-2,5" -> 0, 1, 2, 5. What is not a rank ends it.
std::vector<int> ranks_in(std::string_view text) {
  std::vector<int> ranks;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at < end) {
    int first = 0;
    auto read = std::from_chars(at, end, first);
    if (read.ec != std::errc()) break;
    int last = first;
    if (read.ptr < end && *read.ptr == '-') read = std::from_chars(read.ptr + 1, end, last);
    if (read.ec != std::errc() || last - first > (1 << 20)) break;
    for (int rank = first; rank <= last; ++rank) ranks.push_back(rank);
    at = read.ptr;
    while (at < end && (*at == ',' || *at == ' ')) ++at;
  }
  return ranks;
}

// Ranks that wait for the others sit in the barrier after every pair.
class PairMeter {
 public:
  PairMeter(api::Communicator& communicator, const PairOptions& options)
      : communicator_(communicator), options_(options), large_(options.bytes) {}

  api::Status measure(int a, int b, PairResult& result) {
    const int rank = communicator_.rank();
    if (rank == a || rank == b) {
      const int peer = rank == a ? b : a;
      if (api::Status status = round_trips(rank == a, peer, result); !status) return status;
      if (api::Status status = one_way(rank == a, peer, result); !status) return status;
    }
    return communicator_.barrier();
  }

 private:
  api::Status exchange(std::vector<uint8_t>& data, bool is_first, int peer) {
    if (is_first) {
      if (api::Status status = communicator_.send(data, peer); !status) return status;
      return communicator_.recv(data, peer);
    }
    if (api::Status status = communicator_.recv(data, peer); !status) return status;
    return communicator_.send(data, peer);
  }

  api::Status round_trips(bool is_first, int peer, PairResult& result) {
    std::vector<double> times;
    for (size_t i = 0; i < options_.iterations + options_.iterations / 10 + 1; ++i) {
      const double begin = perf::now_us();
      if (api::Status status = exchange(small_, is_first, peer); !status) return status;
      if (i > options_.iterations / 10) times.push_back(perf::now_us() - begin);
    }
    result.latency_us = perf::median(times) / 2;
    return api::Unit{};
  }

  // Large there, a few bytes back, so that the sender knows when all has arrived.
  api::Status one_way(bool is_first, int peer, PairResult& result) {
    std::vector<double> times;
    for (size_t i = 0; i <= kRepeats; ++i) {
      const double begin = perf::now_us();
      api::Status status =
          is_first ? communicator_.send(large_, peer) : communicator_.recv(large_, peer);
      if (!status) return status;
      status = is_first ? communicator_.recv(small_, peer) : communicator_.send(small_, peer);
      if (!status) return status;
      if (i > 0) times.push_back(perf::now_us() - begin);
    }
    const double time_us = std::max(perf::median(times) - result.latency_us, 0.001);
    result.bandwidth_gb_s = static_cast<double>(options_.bytes) / time_us / 1e3;
    return api::Unit{};
  }

  api::Communicator& communicator_;
  const PairOptions& options_;
  std::vector<uint8_t> small_ = std::vector<uint8_t>(8);
  std::vector<uint8_t> large_;
};

}  // namespace

PoolShape parse_description(std::string_view description, int rank_count) {
  PoolShape shape;
  shape.domain_of.assign(static_cast<size_t>(rank_count), -1);
  while (!description.empty()) {
    const size_t end = description.find('\n');
    const std::string_view line = description.substr(0, end);
    description.remove_prefix(end == std::string_view::npos ? description.size() : end + 1);
    const size_t ranks = line.find(": ranks ");
    if (line.starts_with("domain ") && ranks != std::string_view::npos) {
      const size_t over = line.find(" over ");
      for (const int rank : ranks_in(line.substr(ranks + 8))) {
        if (rank >= 0 && rank < rank_count) {
          shape.domain_of[static_cast<size_t>(rank)] = static_cast<int>(shape.inside.size());
        }
      }
      shape.inside.emplace_back(over == std::string_view::npos ? "" : line.substr(over + 6));
    } else if (line.starts_with("between domains: ")) {
      shape.across = line.substr(17);
    }
  }
  return shape;
}

std::string class_of(const PoolShape& shape, int a, int b) {
  const int left = shape.domain_of[static_cast<size_t>(a)];
  const int right = shape.domain_of[static_cast<size_t>(b)];
  if (left < 0 || right < 0) return "unknown";
  if (left != right) return shape.across + " between domains";
  return shape.inside[static_cast<size_t>(left)] + " inside a domain";
}

std::vector<std::pair<int, int>> pairs_of(int rank_count) {
  std::vector<std::pair<int, int>> pairs;
  for (int a = 0; a < rank_count; ++a) {
    for (int b = a + 1; b < rank_count; ++b) {
      const bool is_sample = b - a == 1 || b - a == rank_count / 2;
      if (rank_count <= kAllPairsMax || is_sample) pairs.emplace_back(a, b);
    }
  }
  return pairs;
}

api::Result<std::vector<PairResult>> measure_pairs(api::Communicator& communicator,
                                                   const PairOptions& options) {
  const PoolShape shape = parse_description(communicator.describe(), communicator.size());
  PairMeter meter(communicator, options);
  std::vector<PairResult> results;
  std::vector<double> mine{options.machine, options.port_gb_s};
  if (api::Status status = communicator.barrier(); !status) return status.error();
  for (const auto& [a, b] : pairs_of(communicator.size())) {
    PairResult result{a, b, class_of(shape, a, b), 0, 0, 0};
    if (api::Status status = meter.measure(a, b, result); !status) return status.error();
    mine.push_back(result.latency_us);
    mine.push_back(result.bandwidth_gb_s);
    results.push_back(std::move(result));
  }
  if (results.empty()) return results;
  auto all = perf::gather_from_ranks(communicator.handle(), mine);
  if (!all) return all.error();
  // The sender's numbers count.
  for (size_t i = 0; i < results.size(); ++i) {
    const double* a = all->data() + static_cast<size_t>(results[i].a) * mine.size();
    const double* b = all->data() + static_cast<size_t>(results[i].b) * mine.size();
    results[i].latency_us = a[2 + 2 * i];
    results[i].bandwidth_gb_s = a[3 + 2 * i];
    if (a[0] != b[0]) results[i].nominal_gb_s = std::min(a[1], b[1]);
  }
  return results;
}

std::vector<ClassResult> by_class(const std::vector<PairResult>& pairs) {
  std::map<std::string, std::vector<const PairResult*>> classes;
  for (const PairResult& pair : pairs) classes[pair.link_class].push_back(&pair);
  std::vector<ClassResult> results;
  for (const auto& [name, members] : classes) {
    std::vector<double> latencies, bandwidths;
    double nominal = members.front()->nominal_gb_s;
    for (const PairResult* pair : members) {
      latencies.push_back(pair->latency_us);
      bandwidths.push_back(pair->bandwidth_gb_s);
      nominal = std::min(nominal, pair->nominal_gb_s);
    }
    const auto spread = [](std::vector<double>& values, double(&into)[3]) {
      std::sort(values.begin(), values.end());
      into[0] = values.front();
      into[1] = perf::median(values);
      into[2] = values.back();
    };
    ClassResult result;
    result.link_class = name;
    result.pairs = members.size();
    result.nominal_gb_s = nominal;
    spread(latencies, result.latency_us);
    spread(bandwidths, result.bandwidth_gb_s);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace unirack::topo
