#include "perf/common/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "perf/common/environment.h"

namespace unirack::perf {
namespace {

// CLI11 reports a bad value by an exception of its own, which parse_options catches.
CLI::Validator bytes_validator(size_t& target) {
  return CLI::Validator(
      [&target](std::string& text) -> std::string {
        const std::optional<size_t> bytes = parse_bytes(text);
        if (!bytes) return "expected bytes such as 8, 64K, 32M or 1G";
        target = *bytes;
        return {};
      },
      "BYTES");
}

template <class Parse, class Target>
CLI::Validator list_validator(Parse parse, Target& target, const std::string& expected,
                              const std::string& metavar) {
  return CLI::Validator(
      [parse, &target, expected](std::string& text) -> std::string {
        auto parsed = parse(text);
        if (parsed.empty()) return "expected one of: " + expected;
        target = std::move(parsed);
        return {};
      },
      metavar);
}

// The texts that validators have parsed already.
struct Texts {
  std::string bytes_min, bytes_max, step_bytes, types, ops, domains, refused;
};

void add_size_options(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("-b,--minbytes", texts.bytes_min, "first size (default 32M)")
      ->check(bytes_validator(options.bytes_min));
  app.add_option("-e,--maxbytes", texts.bytes_max, "last size (default 32M)")
      ->check(bytes_validator(options.bytes_max));
  app.add_option("-i,--stepbytes", texts.step_bytes, "step between sizes (default 1M)")
      ->check(bytes_validator(options.step_bytes));
  app.add_option("-f,--stepfactor", options.step_factor, "factor between sizes, instead of -i")
      ->check(CLI::Range(1.01, 1e6));
  app.add_flag("--exact-bytes", options.exact_bytes,
               "do not round sizes to multiples of 16 bytes a rank: sizes that divide badly");
  app.add_option("-u,--unalign", options.unalign, "start the buffers this many elements off a page")
      ->check(CLI::Range(size_t{0}, size_t{4096}));
}

void add_rank_options(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("--np", options.np, "start this many processes (also -np); no MPI needed")
      ->check(CLI::Range(1, 1024));
  app.add_option("-t,--nthreads", options.thread_count, "ranks as threads in each process")
      ->check(CLI::Range(1, 1024));
  app.add_option("-g,--ngpus", options.per_thread,
                 "ranks per thread; on hosts each is a thread of its own, so -t and -g multiply")
      ->check(CLI::Range(1, 1024));
  app.add_option("--domains", texts.domains,
                 "emulate racks: 2+2 makes ranks 0-1 and 2-3 domains that share no memory")
      ->check(list_validator(parse_domains, options.domains, "sizes such as 2+2", "SIZES"));
}

void add_data_options(CLI::App& app, Collective& collective, Options& options, Texts& texts) {
  app.add_option("-d,--datatype", texts.types, "element type, or all (default float)")
      ->check(list_validator(parse_types, options.types, all_type_names(), "TYPE"));
  if (collective.reduces()) {
    app.add_option("-o,--op", texts.ops, "operation, or all (default sum)")
        ->check(list_validator(parse_ops, options.ops, all_op_names(), "OP"));
  } else {
    app.add_option("-o,--op", texts.ops, "without effect: this collective does not reduce");
  }
  app.add_option("-r,--root", options.root,
                 collective.rooted() ? "root rank, -1 for each in turn"
                                     : "without effect: this collective has no root")
      ->check(CLI::Range(-1, 65535));
  app.add_option("-c,--check", options.check, "check every value of every receive buffer (0, 1)");
  app.add_option_function<int>(
         "-R,--local_register",
         [&options](int value) { options.registration = static_cast<Registration>(value); },
         "buffers: 0 private, 1 registered, 2 symmetric (unirackMemAlloc)")
      ->check(CLI::Range(0, 2));
}

void add_timing_options(CLI::App& app, Options& options) {
  app.add_option("-n,--iters", options.iterations, "timed iterations")
      ->check(CLI::Range(size_t{1}, size_t{1} << 30));
  app.add_option("-m,--agg_iters", options.aggregate, "operations in one group per iteration")
      ->check(CLI::Range(size_t{1}, size_t{1024}));
  app.add_option("-w,--warmup_iters", options.warmup, "untimed iterations before");
  app.add_option("-N,--run_cycles", options.cycles, "run the whole sweep so often; 0 for ever");
  app.add_option("-T,--timeout", options.timeout_s, "deadline of an operation in seconds")
      ->check(CLI::Range(0, 86400));
  app.add_option_function<int>(
         "-a,--average", [&options](int value) { options.average = static_cast<Average>(value); },
         "time of a row: 0 rank 0's, 1 mean, 2 minimum, 3 maximum over ranks (default 1)")
      ->check(CLI::Range(0, 3));
  app.add_flag_callback(
      "--latency", [&options] { options.timing = Timing::latency; },
      "dependent chain: an iteration starts when the one before is done; adds median and p99");
  app.add_option("-C,--report_cputime", options.cpu_time,
                 "report CPU time a rank instead of elapsed time (0, 1)");
}

void add_output_options(CLI::App& app, Options& options) {
  app.add_option("-J,--json,--output_file", options.json_path, "write the results to this file")
      ->type_name("FILE");
  app.add_option("-S,--report_timestamps", options.timestamps, "date every row (0, 1)");
  app.add_option_function<int>(
      "-I,--per_iteration",
      [&options](int value) {
        if (value != 0) options.timing = Timing::per_iteration;
      },
      "time every iteration by itself and add median and p99 (0, 1)");
}

// Options of GPUs: 0 is what we do anyway, anything else would be a lie.
void add_refused(CLI::App& app, const std::string& name, std::string& text,
                 const std::string& why) {
  const auto only_zero = [why](std::string& value) { return value == "0" ? std::string() : why; };
  app.add_option(name, text, "only 0: " + why)->check(CLI::Validator(only_zero, "0"));
}

void add_device_options(CLI::App& app, Options& options, Texts& texts) {
  const std::string device = "buffers are host memory; there is no device to run on";
  add_refused(app, "-G,--cudagraph", texts.refused, device);
  add_refused(app, "-D,--device_implementation", texts.refused, device);
  add_refused(app, "-V,--device_cta_count", texts.refused, device);
  add_refused(app, "-x,--cta_policy", texts.refused, device);
  for (const char* name : {"-z,--blocking", "-y,--stream_null", "-p,--parallel_init"}) {
    app.add_option_function<int>(
        name,
        [&options, name](int) {
          options.notes.push_back(fmt::format(
              "{} has no effect: calls on host memory block, and ranks always join at once", name));
        },
        "accepted without effect");
  }
}

ParseOutcome refuse(const std::string& text) { return {std::nullopt, 2, text + "\n"}; }

ParseOutcome finish(Collective& collective, Options options) {
  if (options.bytes_max < options.bytes_min) options.bytes_max = options.bytes_min;
  if (options.step_factor == 0 && options.step_bytes == 0 &&
      options.bytes_max > options.bytes_min) {
    return refuse("-i 0 never reaches -e: give a step or -f");
  }
  if (!collective.reduces()) options.ops = {Op::sum};
  if (!collective.rooted()) options.root = 0;
  if (options.aggregate > 1 && options.timing == Timing::latency) {
    return refuse("--latency times one operation after the other: it excludes -m");
  }
  if (const std::string text = environment("NCCL_TESTS_MIN_BW"); !text.empty()) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, options.min_bandwidth);
    if (error != std::errc() || stop != end) {
      return refuse("NCCL_TESTS_MIN_BW: expected a number of GB/s");
    }
  }
  return {std::move(options), 0, {}};
}

}  // namespace

ParseOutcome parse_options(Collective& collective, std::vector<std::string> arguments) {
  Options options;
  Texts texts;
  CLI::App app(help_description(collective), std::string(collective.name()));
  app.footer(help_footer(collective));
  app.set_help_flag("-h,--help", "print this page");
  app.get_formatter()->column_width(34);
  app.option_defaults()->take_last();  // as getopt does
  add_size_options(app, options, texts);
  add_rank_options(app, options, texts);
  add_data_options(app, collective, options, texts);
  add_timing_options(app, options);
  add_output_options(app, options);
  add_device_options(app, options, texts);
  for (const ExtraOption& extra : collective.extra_options()) {
    std::visit([&](auto* value) { app.add_option(extra.name, *value, extra.help); }, extra.value);
  }
  // "-np 4", as mpirun spells it, would be "-n" with the value "p".
  for (std::string& argument : arguments) {
    if (argument == "-np") argument = "--np";
  }
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, 0, app.help()};
  } catch (const CLI::ParseError& error) {
    return refuse(fmt::format("{}: {}\n{} --help explains every option", collective.name(),
                              error.what(), collective.name()));
  }
  return finish(collective, std::move(options));
}

std::vector<size_t> sweep_sizes(const Options& options) {
  std::vector<size_t> sizes;
  size_t bytes = options.bytes_min;
  while (bytes <= options.bytes_max) {
    sizes.push_back(bytes);
    const size_t last = bytes;
    bytes = options.step_factor > 0
                ? static_cast<size_t>(static_cast<double>(bytes) * options.step_factor)
                : bytes + options.step_bytes;
    if (bytes <= last) bytes = last + 1;  // 0 and 1 times a factor
    if (options.bytes_max == options.bytes_min) break;
  }
  return sizes;
}

size_t count_of(const Collective& collective, const Options& options, size_t bytes,
                unirackDataType_t type, int rank_count) {
  if (collective.fixed_count() > 0) return collective.fixed_count();
  const auto blocks = static_cast<size_t>(collective.blocks_per_size(rank_count));
  const size_t element = size_of(type);
  const size_t count = bytes / element / blocks;
  if (options.exact_bytes || blocks == 1) return count;
  return count / (16 / element) * (16 / element);
}

std::vector<int> parse_domains(std::string_view text) {
  std::vector<int> sizes;
  for (;;) {
    const size_t end = std::min(text.find('+'), text.size());
    int size = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + end, size);
    if (error != std::errc() || stop != text.data() + end || size < 1 || size > 1024) return {};
    sizes.push_back(size);
    if (end == text.size()) return sizes;
    text.remove_prefix(end + 1);
  }
}

std::string domain_of(const Options& options, int rank) {
  int first = 0;
  for (size_t i = 0; i < options.domains.size(); ++i) {
    first += options.domains[i];
    if (rank < first) return fmt::format("rack{}", i);
  }
  return {};
}

}  // namespace unirack::perf
