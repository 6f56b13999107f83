// Which expert gets which token: a made-up router with the shape of a real one. Pure and the same
// on every rank, so that each knows what all send.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace unirack::perf {

struct ExpertShape {
  size_t experts = 0;
  size_t topk = 8;
  size_t tokens = 128;  // a rank
  size_t hidden = 4096;
  std::string skew = "zipf";  // or "uniform": how popular the experts are
};

// What is wrong with the shape; empty when nothing is.
std::string validate(const ExpertShape& shape);

// Entry [p * rank_count + q]: how many (token, expert) pairs rank p sends to rank q, when experts
// are spread over the ranks in order. A row sums to tokens * topk.
std::vector<size_t> route_tokens(const ExpertShape& shape, int rank_count);

}  // namespace unirack::perf
