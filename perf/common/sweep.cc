#include "perf/common/sweep.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "perf/common/run.h"

namespace unirack::perf {
namespace {

std::string type_column(unirackDataType_t type) { return std::string(name_of(type)); }

}  // namespace

Sweep::Sweep(const Collective& collective, const Options& options, api::Communicator& communicator)
    : collective_(collective),
      options_(options),
      communicator_(communicator),
      rank_(communicator.rank()),
      rank_count_(communicator.size()),
      report_(collective, options, rank_count_) {}

std::vector<int> Sweep::roots() const {
  if (options_.root >= 0) return {options_.root};
  std::vector<int> roots;
  for (int root = 0; root < rank_count_; ++root) roots.push_back(root);
  return roots;
}

std::optional<Buffers> Sweep::make_buffers() const {
  size_t bytes = 0;
  for (size_t size : sweep_sizes(options_)) {
    for (unirackDataType_t type : options_.types) {
      Call call{.rank = rank_, .rank_count = rank_count_, .type = type};
      call.count = count_of(collective_, options_, size, type, rank_count_);
      for (int root : roots()) {
        call.root = root;
        const InPlace place = collective_.in_place(call);
        const size_t elements = std::max(place.send_offset + extent_of(collective_.inputs(call)),
                                         place.recv_offset + extent_of(collective_.outputs(call)));
        bytes = std::max(bytes, (elements + options_.unalign) * size_of(type));
      }
    }
  }
  const unirackComm_t comm = communicator_.handle();
  auto send = Buffer::make(comm, bytes, options_.registration);
  auto recv = Buffer::make(comm, bytes, options_.registration);
  if (!send || !recv) return std::nullopt;
  return Buffers{std::move(*send), std::move(*recv), 0};
}

api::Result<Measurement> Sweep::run_placement(Meter& meter, const Call& call, size_t size_bytes,
                                              bool in_place) {
  const Prepared prepared = meter.prepare(collective_, call, in_place);
  int64_t wrong = 0;
  if (options_.check) {
    auto checked = meter.check(prepared, in_place, ++seed_);
    if (!checked) return checked.error();
    wrong = *checked;
  }
  auto measured = meter.measure(prepared);
  if (!measured) return measured.error();
  measured->wrong = wrong;
  wrong_ += wrong;
  fill_bandwidths(*measured, collective_, size_bytes, rank_count_);
  return measured;
}

api::Status Sweep::run_row(Meter& meter, size_t bytes, Call call) {
  const size_t element = size_of(call.type);
  call.count = count_of(collective_, options_, bytes, call.type, rank_count_);
  Row row;
  row.count = call.count;
  row.size_bytes =
      call.count * element * static_cast<size_t>(collective_.blocks_per_size(rank_count_));
  row.type = type_column(call.type);
  row.op = collective_.reduces() ? std::string(name_of(call.op)) : "none";
  row.root = collective_.rooted() ? call.root : -1;
  auto out_of_place = run_placement(meter, call, row.size_bytes, false);
  if (!out_of_place) return out_of_place.error();
  row.out_of_place = *out_of_place;
  row.plan = meter.plan();
  if (collective_.has_in_place()) {
    auto in_place = run_placement(meter, call, row.size_bytes, true);
    if (!in_place) return in_place.error();
    row.in_place = *in_place;
    if (meter.plan() != row.plan) row.plan += " | " + meter.plan();
  }
  if (rank_ == 0) report_.row(row);
  ++rows_done_;
  show_progress();
  return api::Unit{};
}

// Rows are progress enough on a terminal; when they go to a file, a line on standard error counts.
void Sweep::show_progress() const {
  if (rank_ != 0 || ::isatty(STDOUT_FILENO) == 1 || ::isatty(STDERR_FILENO) != 1) return;
  const size_t sizes = collective_.fixed_count() > 0 ? 1 : sweep_sizes(options_).size();
  const size_t rows = sizes * options_.types.size() * options_.ops.size() * roots().size();
  const bool last = rows_done_ == rows * options_.cycles;
  fmt::print(stderr, "\r{}: {} of {} rows{}", collective_.name(), rows_done_,
             rows * options_.cycles, last ? "\n" : "");
}

api::Status Sweep::run_cycle(Meter& meter) {
  std::vector<size_t> sizes = sweep_sizes(options_);
  if (collective_.fixed_count() > 0) sizes.resize(1);
  for (unirackDataType_t type : options_.types) {
    for (Op op : options_.ops) {
      Call call{.rank = rank_, .rank_count = rank_count_, .type = type, .op = op};
      call.op_handle = static_cast<unirackRedOp_t>(op);
      std::optional<api::Operator> premul;
      if (op == Op::premul) {
        const std::vector<std::byte> scalar = premul_scalar(type);
        const unirackComm_t comm = communicator_.handle();
        const unirackResult_t code =
            unirackRedOpCreatePreMulSum(&call.op_handle, scalar.data(), type, comm);
        if (api::Status status = api::to_status(code, comm); !status) return status;
        premul.emplace(call.op_handle, comm);
      }
      for (int root : roots()) {
        call.root = root;
        for (size_t bytes : sizes) {
          if (api::Status status = run_row(meter, bytes, call); !status) return status;
        }
      }
    }
  }
  return api::Unit{};
}

int Sweep::run() {
  std::optional<Buffers> buffers = make_buffers();
  if (!buffers) {
    return report_failure(
        rank_, {unirackResourceExhausted, {}, "no memory for the buffers: lower -e, or see -R"});
  }
  if (rank_ == 0) report_.header(communicator_.describe());
  Meter meter(options_, communicator_.handle(), *buffers);
  for (size_t cycle = 0; options_.cycles == 0 || cycle < options_.cycles; ++cycle) {
    if (api::Status status = run_cycle(meter); !status) {
      return report_failure(rank_, status.error());
    }
  }
  if (rank_ != 0) return wrong_ > 0 ? 1 : 0;
  if (!report_.finish()) {
    fmt::print(stderr, "cannot write {}\n", options_.json_path);
    return kExitUsage;
  }
  return report_.exit_code();
}

}  // namespace unirack::perf
