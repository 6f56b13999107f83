// The messages of real models: what a decode step costs in all-reduces, what a layer costs in
// expert exchange, on the pool that this program is started on.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "perf/common/decode_step.h"
#include "perf/common/expert_exchange.h"
#include "perf/common/run.h"

namespace unirack::perf {
namespace {

// Shapes from the models' published configurations.
const DecodeModel kLlama{"llama-3.1-70b", 8192, 80, 2};
const ExpertModel kQwen{
    "qwen3-235b-a22b", {.experts = 128, .topk = 8, .tokens = 128, .hidden = 4096}, 94};

struct Settings {
  Options options;
  std::string model;
  std::string domains;
  std::string json_path;
  size_t steps = 3;
  size_t batch_max = 256;
  int registration = 2;
};

api::Status run_llama(api::Communicator& communicator, const Settings& settings,
                      nlohmann::json& rows, int64_t& wrong) {
  const bool speaks = communicator.rank() == 0;
  if (speaks) {
    fmt::print("# {}: {} all-reduces a decode step, hidden {}, bfloat16, {} ranks\n", kLlama.name,
               kLlama.all_reduces(), kLlama.hidden, communicator.size());
    fmt::print("# {:>5}  {:>12}  {:>11}  {:>11}  {:>10}  {:>6}  plan\n", "batch", "bytes",
               "median (us)", "p99 (us)", "step (ms)", "#wrong");
  }
  for (size_t batch = 1; batch <= settings.batch_max; batch *= 2) {
    auto row = run_decode_step(communicator, kLlama, batch, settings.steps,
                               static_cast<Registration>(settings.registration));
    if (!row) return row.error();
    wrong += row->wrong;
    if (!speaks) continue;
    fmt::print("{:>7}  {:>12}  {:>11.1f}  {:>11.1f}  {:>10.2f}  {:>6}  {}\n", row->batch,
               row->bytes, row->operation_us, row->p99_us, row->step_ms, row->wrong, row->plan);
    std::fflush(stdout);
    rows.push_back({{"model", kLlama.name},
                    {"batch", row->batch},
                    {"bytes", row->bytes},
                    {"median_us", row->operation_us},
                    {"p99_us", row->p99_us},
                    {"step_ms", row->step_ms},
                    {"nwrong", row->wrong},
                    {"plan", row->plan}});
  }
  return api::Unit{};
}

api::Status run_qwen(api::Communicator& communicator, const Settings& settings,
                     nlohmann::json& rows, int64_t& wrong) {
  const bool speaks = communicator.rank() == 0;
  const ExpertShape& shape = kQwen.shape;
  if (speaks) {
    fmt::print("# {}: {} tokens a rank, top-{} of {} experts, hidden {}, bfloat16, {} ranks\n",
               kQwen.name, shape.tokens, shape.topk, shape.experts, shape.hidden,
               communicator.size());
    fmt::print("# {:>7}  {:>10}  {:>10}  {:>11}  {:>13}  {:>12}  {:>14}  {:>6}  plan\n", "experts",
               "sent (B)", "most (B)", "counts (us)", "dispatch (us)", "combine (us)",
               "94 layers (ms)", "#wrong");
  }
  for (const char* skew : {"uniform", "zipf"}) {
    ExpertModel model = kQwen;
    model.shape.skew = skew;
    auto row = run_expert_exchange(communicator, model, settings.steps * 4);
    if (!row) return row.error();
    wrong += row->wrong;
    if (!speaks) continue;
    const double step_ms = row->layer_us() * static_cast<double>(model.layers) / 1e3;
    fmt::print("{:>9}  {:>10}  {:>10}  {:>11.1f}  {:>13.1f}  {:>12.1f}  {:>14.1f}  {:>6}  {}\n",
               skew, row->bytes, row->bytes_max, row->counts_us, row->dispatch_us, row->combine_us,
               step_ms, row->wrong, row->plan);
    std::fflush(stdout);
    rows.push_back({{"model", model.name},
                    {"skew", skew},
                    {"bytes", row->bytes},
                    {"bytes_max", row->bytes_max},
                    {"counts_us", row->counts_us},
                    {"dispatch_us", row->dispatch_us},
                    {"combine_us", row->combine_us},
                    {"step_ms", step_ms},
                    {"nwrong", row->wrong},
                    {"plan", row->plan}});
  }
  return api::Unit{};
}

int run_models(api::Communicator& communicator, const Settings& settings) {
  nlohmann::json rows = nlohmann::json::array();
  int64_t wrong = 0;
  using Run = api::Status (*)(api::Communicator&, const Settings&, nlohmann::json&, int64_t&);
  const std::pair<std::string, Run> models[] = {{kLlama.name, run_llama}, {kQwen.name, run_qwen}};
  for (const auto& [name, run] : models) {
    if (!settings.model.empty() && settings.model != name) continue;
    if (api::Status status = run(communicator, settings, rows, wrong); !status) {
      return report_failure(communicator.rank(), status.error());
    }
  }
  if (communicator.rank() == 0) {
    fmt::print("# Out of bounds values : {} {}\n", wrong, wrong == 0 ? "OK" : "FAILED");
    if (!settings.json_path.empty()) {
      std::ofstream file(settings.json_path);
      file << rows.dump(2) << '\n';
      if (!file.flush()) {
        fmt::print(stderr, "cannot write {}\n", settings.json_path);
        return kExitUsage;
      }
    }
  }
  return wrong > 0 ? 1 : 0;
}

void add_options(CLI::App& app, Settings& settings) {
  app.add_option("--model", settings.model, "only this one (default: both)")
      ->check(CLI::IsMember({kLlama.name, kQwen.name}));
  app.add_option("--np", settings.options.np, "start this many processes; no MPI needed")
      ->check(CLI::Range(1, 1024));
  app.add_option("-t,--nthreads", settings.options.thread_count, "ranks as threads of each process")
      ->check(CLI::Range(1, 1024));
  app.add_option("--domains", settings.domains, "emulate racks, such as 2+2");
  app.add_option("--steps", settings.steps, "timed decode steps a batch (default 3)")
      ->check(CLI::Range(size_t{1}, size_t{100000}));
  app.add_option("--max-batch", settings.batch_max, "largest batch (default 256)")
      ->check(CLI::Range(size_t{1}, size_t{65536}));
  app.add_option("-R,--local_register", settings.registration,
                 "activations: 0 private, 1 registered, 2 symmetric memory (default 2)")
      ->check(CLI::Range(0, 2));
  app.add_option("-J,--json", settings.json_path, "write the results to this file");
  app.footer(
      "COLUMNS\n"
      "  llama: microseconds of one all-reduce, median and p99 over all steps and ranks; step is\n"
      "         the time of all all-reduces of a decode step, computation not included\n"
      "  qwen:  what a rank dispatches and what the busiest rank receives; the exchange of "
      "counts,\n"
      "         dispatch and combine of one layer; their sum over all layers\n"
      "EXAMPLES\n"
      "  inference_perf --np 4 --domains 2+2 --model llama-3.1-70b\n"
      "  mpirun -np 8 inference_perf\n"
      "EXIT STATUS\n"
      "  0 all values right, 1 wrong values, 2 bad usage, 3 the library or a rank failed");
}

}  // namespace

int run_main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Times the messages of real models: decode-step all-reduces and expert exchange.");
  add_options(app, settings);
  CLI11_PARSE(app, argc, argv);
  settings.options.domains = parse_domains(settings.domains);
  if (settings.options.domains.empty() && !settings.domains.empty()) {
    fmt::print(stderr, "--domains: expected sizes such as 2+2\n");
    return kExitUsage;
  }
  Session session = Session::start(settings.options.np);
  if (session.exit_code()) return *session.exit_code();
  return run_ranks(session, settings.options, [&](api::Communicator& communicator) {
    if (communicator.rank() == 0) fmt::print("{}\n", communicator.describe());
    return run_models(communicator, settings);
  });
}

}  // namespace unirack::perf

int main(int argc, char** argv) { return unirack::perf::run_main(argc, argv); }
