#include "lib/topology/flow/linear_program.h"

#include <Clp_C_Interface.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace unirack {

namespace {

struct DeleteModel {
  void operator()(Clp_Simplex* model) const { Clp_deleteModel(model); }
};
using Model = std::unique_ptr<Clp_Simplex, DeleteModel>;

constexpr size_t kEntriesMax = 50'000'000;
constexpr double kSecondsMax = 120;
constexpr int kStopped = 3;  // by a limit, as Clp_status says

void load(Clp_Simplex* model, const LinearProgram& program) {
  const size_t columns = program.cost.size();
  std::vector<CoinBigIndex> first(columns + 1, 0);
  for (const LpEntry& entry : program.entries) ++first[entry.column + 1];
  for (size_t i = 0; i < columns; ++i) first[i + 1] += first[i];
  std::vector<CoinBigIndex> next(first.begin(), first.end() - 1);
  std::vector<int> rows(program.entries.size());
  std::vector<double> values(program.entries.size());
  for (const LpEntry& entry : program.entries) {
    const auto at = static_cast<size_t>(next[entry.column]++);
    rows[at] = static_cast<int>(entry.row);
    values[at] = entry.value;
  }
  Clp_loadProblem(model, static_cast<int>(columns), static_cast<int>(program.lower.size()),
                  first.data(), rows.data(), values.data(), nullptr, nullptr, program.cost.data(),
                  program.lower.data(), program.upper.data());
}

}  // namespace

Result<LpSolution> solve(const LinearProgram& program) {
  if (program.entries.size() > kEntriesMax) {
    return make_error(Code::resource_exhausted,
                      fmt::format("a linear program of {} entries, at most {} are tried",
                                  program.entries.size(), kEntriesMax));
  }
  // The library throws on what it takes for misuse.
  try {
    const Model model(Clp_newModel());
    Clp_setLogLevel(model.get(), 0);
    load(model.get(), program);
    Clp_setMaximumSeconds(model.get(), kSecondsMax);
    Clp_initialSolve(model.get());
    if (Clp_status(model.get()) == kStopped) {
      return make_error(Code::resource_exhausted,
                        fmt::format("a linear program of {} columns was given up after {} s",
                                    program.cost.size(), kSecondsMax));
    }
    if (Clp_status(model.get()) != 0) {
      return make_error(Code::internal,
                        fmt::format("CLP found no optimum: status {}", Clp_status(model.get())));
    }
    LpSolution solution;
    solution.value = Clp_objectiveValue(model.get());
    const double* columns = Clp_primalColumnSolution(model.get());
    solution.columns.assign(columns, columns + program.cost.size());
    const double* prices = Clp_dualRowSolution(model.get());
    solution.row_prices.assign(prices, prices + program.lower.size());
    return solution;
  } catch (...) {
    return make_error(Code::internal, "CLP failed on a linear program");
  }
}

}  // namespace unirack
