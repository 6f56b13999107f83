#include "tests/support/topo_tool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "perf/topo/commands.h"

namespace unirack::testing {

namespace {

// A stream into memory, closed into a string.
class Captured {
 public:
  Captured() : stream_(::open_memstream(&data_, &size_)) {}
  ~Captured() { std::free(data_); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  std::FILE* stream() { return stream_; }
  std::string take() {
    std::fclose(stream_);
    return {data_, size_};
  }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  std::FILE* stream_;
};

}  // namespace

Ran run_topo(std::vector<std::string> arguments, std::string input) {
  Captured out, err;
  input += '\n';  // an empty buffer cannot be opened
  topo::Console console;
  console.in = ::fmemopen(input.data(), input.size(), "rb");
  console.out = out.stream();
  console.err = err.stream();
  Ran ran;
  ran.code = topo::run_tool(std::move(arguments), console);
  std::fclose(console.in);
  ran.out = out.take();
  ran.err = err.take();
  return ran;
}

std::string temporary_file(const std::string& name, const std::string& content) {
  const std::string path =
      ::testing::TempDir() + "unirack-topo-" + std::to_string(::getpid()) + "-" + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace unirack::testing
