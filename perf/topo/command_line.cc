#include "perf/topo/command_line.h"

#include <CLI/CLI.hpp>

namespace unirack::topo {

CommandLine::CommandLine(CLI::App& tool, const char* name, const char* what)
    : app_(*tool.add_subcommand(name, what)) {}

void CommandLine::flag(const char* name, bool& is_set, const char* what) {
  app_.add_flag(name, is_set, what);
}

void CommandLine::option(const char* name, const char* type, std::string& value, const char* what) {
  app_.add_option(name, value, what)->type_name(type);
}

void CommandLine::repeated(const char* name, const char* type, std::vector<std::string>& values,
                           const std::vector<std::string>& allowed, const char* what) {
  CLI::Option* option =
      app_.add_option(name, values, what)->type_name(type)->allow_extra_args(false);
  if (!allowed.empty()) option->check(CLI::IsMember(allowed));
}

void CommandLine::number(const char* name, uint64_t& value, uint64_t least, uint64_t most,
                         const char* what) {
  app_.add_option(name, value, what)->type_name("N")->check(CLI::Range(least, most));
}

void CommandLine::bytes(const char* name, uint64_t& value, uint64_t least, uint64_t most,
                        const char* what) {
  app_.add_option(name, value, what)
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(least, most));
}

void CommandLine::argument(const char* name, std::string& value, bool is_required,
                           const char* what) {
  app_.add_option(name, value, what)->required(is_required);
}

void CommandLine::footer(const std::string& text) { app_.footer(text); }

}  // namespace unirack::topo
