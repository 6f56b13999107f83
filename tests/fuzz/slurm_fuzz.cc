// Reads any text as Slurm's topology.conf. What could be read is written as a tree and as blocks,
// and what was written can be read and gives as many hosts.
#include "lib/topology/formats/slurm.h"

namespace unirack {
namespace {

void check_again(const Result<std::string>& text, size_t members, bool all) {
  if (!text) return;
  const auto again = read_slurm(*text, {});
  // A name that Slurm cannot hold, such as one with a quote, is written as another.
  if (!again) __builtin_trap();
  if (all && again->members().size() != members) __builtin_trap();
}

// Whether it may name so many hosts that one run takes a tenth of a second; that the number is
// bounded is tested elsewhere.
bool names_many(std::string_view text) {
  constexpr size_t kDigitsMax = 3;
  size_t digits = 0;
  for (const char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > kDigitsMax) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (names_many(text)) return 0;
  recognises_slurm_tree(text);
  recognises_slurm_block(text);
  const auto graph = read_slurm(text, {});
  if (!graph) {
    if (graph.error().detail.empty()) __builtin_trap();
    return 0;
  }
  if (graph->members().size() > 2000) return 0;  // slow, and nothing new
  check_again(write_slurm_tree(*graph), graph->members().size(), false);
  check_again(write_slurm_block(*graph), graph->members().size(), true);
  return 0;
}

}  // namespace unirack
