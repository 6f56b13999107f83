// Everything a user can set from outside: one struct with a plain member per variable, filled from
// UNIRACK_* variables by one table (config.cc), which also generates the help text and
// docs/configuration.md. A value that does not parse is an error that names it, never a default.
//
// A Config is a value: read once when a pool is joined, then handed down and never changed. Reading
// the environment is as thread-safe as getenv. Nothing else in the library reads the environment.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/result.h"

namespace unirack {

// Inclusive; 0-0 leaves the choice to the system.
struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
};

struct ForcedAlgorithm {
  std::string collective;  // "all_reduce"
  std::string algorithm;   // "ring"
};

// The initialisers are the documented defaults.
struct Config {
  std::string rendezvous;
  std::string secret_file;
  int rank = -1;
  int rank_count = -1;
  std::vector<std::string> transports;
  std::string domain;
  std::vector<std::string> interfaces;
  PortRange port_range;
  LogLevel log = LogLevel::warn;
  bool explain = false;
  milliseconds peer_timeout{2000};
  milliseconds op_timeout{60'000};
  milliseconds join_timeout{60'000};
  std::vector<int> sum_shape;
  std::vector<ForcedAlgorithm> algorithms;
  bool reassociate = false;
  int tcp_connections = 2;
  uint64_t scratch_bytes = uint64_t{2} << 20;
  uint64_t tile_bytes = 0;
  bool cma = true;
  int spin_us = -1;
  std::string calibration = "auto";  // "default", or a file's path
  // Where to keep what is worth keeping between jobs: XDG_CACHE_HOME/unirack or
  // HOME/.cache/unirack. Empty: nowhere.
  std::string cache_folder;

  // Like getenv: null when unset. An empty value counts as unset.
  using Lookup = std::function<const char*(const char* name)>;
  static Result<Config> from_environment(const Lookup& lookup);
  static Result<Config> from_environment();
};

// One line for every name that begins with UNIRACK_ and is no variable of ours, with the nearest
// known name. UNIRACK_TEST_* is left to the test suites. Entries are NAME or NAME=value.
std::vector<std::string> unknown_variables(std::span<const std::string_view> names);
std::vector<std::string> unknown_variables();

std::string config_help();
std::string config_markdown();

}  // namespace unirack
