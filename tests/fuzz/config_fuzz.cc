// Feeds lines of NAME=value to the configuration parser and the unknown-name warnings.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::map<std::string, std::string> environment;
  std::vector<std::string_view> names;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const size_t equals = line.find('=');
    names.push_back(line);
    if (equals == std::string_view::npos) continue;
    environment["UNIRACK_" + std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  const auto config = unirack::Config::from_environment([&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
  if (config && (config->tcp_connections < 1 || config->tcp_connections > 8)) __builtin_trap();
  (void)unirack::unknown_variables(names);
  return 0;
}
