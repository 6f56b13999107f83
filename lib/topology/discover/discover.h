// Discovery: what this machine consists of and how its parts are joined.
//
// The kernel's files say which devices there are, how they hang together and how their links were
// trained; hwloc adds cores and caches; NVML adds NVLinks and the fabric. The last two may be
// missing, from the build or from the machine: that is a note, never an error. Any thread may call
// discover(); it keeps nothing.
#pragma once

#include <string>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

struct DiscoverOptions {
  // Holds sys/ and proc/; other than "/", an archived tree of another machine. NVML is asked only
  // if nvml_library is set then, and hwloc only reads that tree if HWLOC_FSROOT named it when the
  // program started.
  std::string root = "/";
  // Cores and caches: for people; costs more than all the rest, and nothing that is planned
  // depends on it.
  bool use_hwloc = true;
  bool use_nvml = true;
  std::string nvml_library;  // empty: as installed
  std::string host;          // empty: the machine's own name
};

struct Discovery {
  Graph graph;
  std::vector<std::string> notes;  // what could not be read or placed, and why
};

// An error only for what cannot be a machine: a root that does not exist, a name that is too long.
Result<Discovery> discover(const DiscoverOptions& options);

}  // namespace unirack
