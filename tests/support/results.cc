#include "tests/support/results.h"

#include <cstdio>
#include <cstdlib>

namespace unirack::testing {
namespace {

class Results : public ::testing::EmptyTestEventListener {
 public:
  explicit Results(FILE* file) : file_(file) {}
  ~Results() override { fclose(file_); }

  void OnTestIterationStart(const ::testing::UnitTest& all, int) override {
    fprintf(file_, "planned %d\n", all.test_to_run_count());
    fflush(file_);
  }
  void OnTestStart(const ::testing::TestInfo& info) override {
    fprintf(file_, "start %s.%s\n", info.test_suite_name(), info.name());
    fflush(file_);
  }
  void OnTestEnd(const ::testing::TestInfo& info) override {
    const ::testing::TestResult& result = *info.result();
    const char* word = result.Failed() ? "failed" : result.Skipped() ? "skipped" : "passed";
    fprintf(file_, "%s %s.%s %lld\n", word, info.test_suite_name(), info.name(),
            static_cast<long long>(result.elapsed_time()));
    fflush(file_);
  }

 private:
  FILE* const file_;
};

}  // namespace

::testing::TestEventListener* make_results_listener() {
  const char* path = getenv("UNIRACK_TEST_RESULTS");
  if (path == nullptr) return nullptr;
  FILE* file = fopen(path, "we");
  if (file == nullptr) {
    perror(path);
    exit(1);
  }
  return new Results(file);
}

}  // namespace unirack::testing
