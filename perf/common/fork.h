// The built-in launcher: forks ranks, gives them a rendezvous, and sees them to their end. Must be
// called by the only thread of the process.
#pragma once

#include <optional>

namespace unirack::perf {

struct ForkOutcome {
  std::optional<int> exit_code;  // set in the launcher, when all children are gone
  int process_index = 0;         // set in a child, which goes on from here
};
ForkOutcome fork_processes(int count);

}  // namespace unirack::perf
