// Declares a command of the tool and its options. What is parsed goes into variables of the caller,
// which outlive parsing. CLI11, which takes seconds to compile, stays behind it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace unirack::topo {

class CommandLine {
 public:
  CommandLine(CLI::App& tool, const char* name, const char* what);

  void flag(const char* name, bool& is_set, const char* what);
  // `type` stands for the value in --help, such as PATH.
  void option(const char* name, const char* type, std::string& value, const char* what);
  // May be given several times; nothing in `allowed`: any text.
  void repeated(const char* name, const char* type, std::vector<std::string>& values,
                const std::vector<std::string>& allowed, const char* what);
  void number(const char* name, uint64_t& value, uint64_t least, uint64_t most, const char* what);
  // With a unit: 64K, 1M.
  void bytes(const char* name, uint64_t& value, uint64_t least, uint64_t most, const char* what);
  void argument(const char* name, std::string& value, bool is_required, const char* what);
  void footer(const std::string& text);

 private:
  CLI::App& app_;
};

}  // namespace unirack::topo
