// What the perf tests read from the environment: who started them, and nccl-tests' own variables.
// The library's are its own business. As thread-safe as getenv; read by the main thread.
#pragma once

#include <optional>
#include <string>

namespace unirack::perf {

// Empty when unset or empty.
std::string environment(const char* name);

// A whole number of at least 0; none when unset or something else.
std::optional<int> environment_number(const char* name);

}  // namespace unirack::perf
