// What the links of a pool really do: latency and bandwidth between pairs of ranks, by sends and
// receives of the public interface, put together by class of link. All ranks call measure_pairs()
// alike; the rest is pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unirack/unirack.hpp"

namespace unirack::topo {

// Of a description as unirackDescribe() gives it: the domain of each rank, and what joins ranks
// inside each domain and across.
struct PoolShape {
  std::vector<int> domain_of;       // by rank
  std::vector<std::string> inside;  // transports, by domain
  std::string across;               // "tcp, 1 rail"; empty: there is one domain
};
PoolShape parse_description(std::string_view description, int rank_count);

// "shm inside a domain", "tcp, 1 rail between domains"
std::string class_of(const PoolShape& shape, int a, int b);

// All pairs of a small pool; of a larger one, for every rank its neighbour and the one opposite.
std::vector<std::pair<int, int>> pairs_of(int rank_count);

struct PairResult {
  int a = 0;
  int b = 0;
  std::string link_class;
  double latency_us = 0;      // one way: half a round trip of 8 bytes, the median
  double bandwidth_gb_s = 0;  // of `bytes` in one direction, the median
  double nominal_gb_s = 0;    // of the slower end's network port; 0: none is passed, or not known
};

struct PairOptions {
  double machine = 0;    // the same number on ranks of one machine
  double port_gb_s = 0;  // this machine's fastest network port; 0: not known
  uint64_t bytes = uint64_t{8} << 20;
  uint64_t iterations = 200;  // of the round trip
};

// The results of all pairs, on every rank.
api::Result<std::vector<PairResult>> measure_pairs(api::Communicator& communicator,
                                                   const PairOptions& options);

struct ClassResult {
  std::string link_class;
  size_t pairs = 0;
  double latency_us[3] = {};      // least, median, most
  double bandwidth_gb_s[3] = {};  //
  double nominal_gb_s = 0;        // the least; 0: not known
};
std::vector<ClassResult> by_class(const std::vector<PairResult>& pairs);

}  // namespace unirack::topo
