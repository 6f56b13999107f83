#include "perf/common/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace unirack::perf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Enough of a collective for options: one block a rank, reduces, has a root.
class Sample : public Collective {
 public:
  std::string_view name() const override { return "sample_perf"; }
  std::string_view summary() const override { return "is a sample"; }
  std::string_view bus_formula() const override { return "algbw x 0.5"; }
  double bus_factor(int) const override { return 0.5; }
  bool reduces() const override { return true; }
  bool rooted() const override { return true; }
  int blocks_per_size(int rank_count) const override { return rank_count; }
  std::vector<ExtraOption> extra_options() override { return {{"--extra", "a number", &extra}}; }
  Blocks inputs(const Call&) const override { return {}; }
  Blocks outputs(const Call&) const override { return {}; }
  unirackResult_t run(const Call&, const void*, void*, unirackComm_t) const override {
    return unirackSuccess;
  }
  size_t extra = 0;
};

ParseOutcome parse(std::vector<std::string> arguments) {
  Sample sample;
  return parse_options(sample, std::move(arguments));
}

TEST(PerfOptions, DefaultsAreNcclTests) {
  const ParseOutcome parsed = parse({});
  ASSERT_TRUE(parsed.options) << parsed.text;
  EXPECT_EQ(parsed.options->bytes_min, size_t{32} << 20);
  EXPECT_EQ(parsed.options->bytes_max, size_t{32} << 20);
  EXPECT_EQ(parsed.options->iterations, 20u);
  EXPECT_EQ(parsed.options->warmup, 1u);
  EXPECT_TRUE(parsed.options->check);
  EXPECT_EQ(parsed.options->average, Average::mean);
}

TEST(PerfOptions, ReadsTheUsualLine) {
  const ParseOutcome parsed =
      parse({"-b", "8",  "-e", "64M",      "-f",  "2", "-g",        "2",     "-t",      "3",
             "-n", "7",  "-w", "5",        "-c",  "0", "-o",        "all",   "-d",      "bfloat16",
             "-r", "-1", "-a", "3",        "-R",  "2", "-m",        "4",     "-T",      "9",
             "-N", "2",  "-J", "out.json", "-np", "4", "--domains", "12+12", "--extra", "5"});
  ASSERT_TRUE(parsed.options) << parsed.text;
  const Options& options = *parsed.options;
  EXPECT_EQ(options.bytes_min, 8u);
  EXPECT_EQ(options.bytes_max, size_t{64} << 20);
  EXPECT_EQ(options.step_factor, 2);
  EXPECT_EQ(options.ranks_per_process(), 6);
  EXPECT_EQ(options.iterations, 7u);
  EXPECT_EQ(options.warmup, 5u);
  EXPECT_FALSE(options.check);
  EXPECT_EQ(options.ops.size(), 6u);
  EXPECT_THAT(options.types, ElementsAre(unirackBfloat16));
  EXPECT_EQ(options.root, -1);
  EXPECT_EQ(options.average, Average::max);
  EXPECT_EQ(options.registration, Registration::symmetric);
  EXPECT_EQ(options.aggregate, 4u);
  EXPECT_EQ(options.timeout_s, 9);
  EXPECT_EQ(options.cycles, 2u);
  EXPECT_EQ(options.json_path, "out.json");
  EXPECT_EQ(options.np, 4);
  EXPECT_THAT(options.domains, ElementsAre(12, 12));
}

TEST(PerfOptions, TypesKeepTheirNames) {
  const ParseOutcome parsed = parse({"-d", "all"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->types.size(), static_cast<size_t>(unirackNumTypes));
  for (const char* name : {"int8", "uint8", "half", "float", "double", "f8e4m3", "f8e5m2"}) {
    EXPECT_TRUE(parse({"-d", name}).options) << name;
  }
}

TEST(PerfOptions, TheLastOfARepeatedOptionCounts) {
  EXPECT_EQ(parse({"-n", "5", "-n", "7"}).options->iterations, 7u);
  EXPECT_EQ(parse({"-b", "8", "-b", "16", "-e", "16"}).options->bytes_min, 16u);
}

TEST(PerfOptions, RefusesWithAReason) {
  EXPECT_THAT(parse({"-b", "8Q"}).text, HasSubstr("expected bytes"));
  EXPECT_THAT(parse({"-d", "float7"}).text, HasSubstr("bfloat16"));
  EXPECT_THAT(parse({"-G", "1"}).text, HasSubstr("no device"));
  EXPECT_THAT(parse({"--domains", "2+x"}).text, HasSubstr("2+2"));
  EXPECT_THAT(parse({"--latency", "-m", "2"}).text, HasSubstr("excludes -m"));
  EXPECT_THAT(parse({"-e", "1G", "-i", "0"}).text, HasSubstr("never reaches"));
  for (const ParseOutcome& parsed : {parse({"-b", "8Q"}), parse({"--nonsense"}), parse({"-z"})}) {
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_code, 2);
  }
}

TEST(PerfOptions, AcceptsWhatHasNoEffectAndSaysSo) {
  const ParseOutcome parsed = parse({"-z", "1", "-G", "0", "-p", "1"});
  ASSERT_TRUE(parsed.options) << parsed.text;
  EXPECT_EQ(parsed.options->notes.size(), 2u);
}

TEST(PerfOptions, HelpIsAManualPage) {
  const ParseOutcome parsed = parse({"--help"});
  EXPECT_EQ(parsed.exit_code, 0);
  for (const char* part : {"NAME", "SYNOPSIS", "COLUMNS", "algbw x 0.5", "EXAMPLES", "EXIT STATUS",
                           "UNIRACK_TRANSPORTS", "--exact-bytes", "--latency", "--extra"}) {
    EXPECT_THAT(parsed.text, HasSubstr(part));
  }
}

TEST(PerfOptions, MinimumBandwidthComesFromTheEnvironment) {
  ::setenv("NCCL_TESTS_MIN_BW", "2.5", 1);
  EXPECT_EQ(parse({}).options->min_bandwidth, 2.5);
  ::setenv("NCCL_TESTS_MIN_BW", "fast", 1);
  EXPECT_EQ(parse({}).exit_code, 2);
  ::unsetenv("NCCL_TESTS_MIN_BW");
}

TEST(PerfOptions, Sizes) {
  Options options;
  options.bytes_min = 8;
  options.bytes_max = 100;
  options.step_factor = 2;
  EXPECT_THAT(sweep_sizes(options), ElementsAre(8, 16, 32, 64));
  options.step_factor = 0;
  options.step_bytes = 40;
  EXPECT_THAT(sweep_sizes(options), ElementsAre(8, 48, 88));
  options.bytes_min = 0;
  options.bytes_max = 6;
  options.step_factor = 3;
  EXPECT_THAT(sweep_sizes(options), ElementsAre(0, 1, 3));
  options.bytes_min = options.bytes_max = 5;
  options.step_factor = 0;
  options.step_bytes = 0;
  EXPECT_THAT(sweep_sizes(options), ElementsAre(5));
}

TEST(PerfOptions, CountsRoundDownUnlessExact) {
  Sample sample;
  Options options;
  EXPECT_EQ(count_of(sample, options, 1000, unirackFloat32, 3), 80u);  // 83 without rounding
  EXPECT_EQ(count_of(sample, options, 40, unirackFloat32, 3), 0u);
  options.exact_bytes = true;
  EXPECT_EQ(count_of(sample, options, 1000, unirackFloat32, 3), 83u);
  EXPECT_EQ(count_of(sample, options, 7, unirackUint8, 3), 2u);
}

TEST(PerfOptions, DomainsNameRacks) {
  Options options;
  options.domains = {2, 3};
  EXPECT_EQ(domain_of(options, 1), "rack0");
  EXPECT_EQ(domain_of(options, 2), "rack1");
  EXPECT_EQ(domain_of(options, 4), "rack1");
  options.domains.clear();
  EXPECT_EQ(domain_of(options, 0), "");
}

TEST(PerfOptions, Bytes) {
  EXPECT_EQ(parse_bytes("17"), 17u);
  EXPECT_EQ(parse_bytes("2k"), 2048u);
  EXPECT_EQ(parse_bytes("3G"), size_t{3} << 30);
  EXPECT_EQ(parse_bytes(""), std::nullopt);
  EXPECT_EQ(parse_bytes("M"), std::nullopt);
  EXPECT_EQ(parse_bytes("-1"), std::nullopt);
  EXPECT_EQ(parse_bytes("99999999T"), std::nullopt);
}

}  // namespace
}  // namespace unirack::perf
