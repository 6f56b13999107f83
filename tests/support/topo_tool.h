// The topology tool run inside the test: arguments in, what it printed and its exit code out.
#pragma once

#include <string>
#include <vector>

namespace unirack::testing {

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

// `input` is its standard input; no colour.
Ran run_topo(std::vector<std::string> arguments, std::string input = {});

// A file of the test's own temporary folder with this content; its path.
std::string temporary_file(const std::string& name, const std::string& content);
std::string content_of(const std::string& path);

}  // namespace unirack::testing
