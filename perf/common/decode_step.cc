#include "perf/common/decode_step.h"

#include <cstring>
#include <vector>

#include "perf/common/check.h"
#include "perf/common/measure.h"
#include "perf/common/statistics.h"
#include "perf/common/table.h"

namespace unirack::perf {
namespace {

api::Result<int64_t> run_checked(api::Communicator& communicator, std::byte* data, size_t count) {
  const int rank = communicator.rank();
  const Oracle oracle(unirackBfloat16, Op::sum, communicator.size(), count);
  fill_blocks(oracle, {{0, count, rank, 0}}, size_of(unirackBfloat16), data);
  const unirackComm_t comm = communicator.handle();
  api::Status status = api::to_status(
      unirackAllReduce(data, data, count, unirackBfloat16, unirackSum, comm, nullptr), comm);
  if (!status) return status.error();
  const Wrong wrong =
      count_wrong(oracle, {{0, count, kReduced, 0}}, size_of(unirackBfloat16), data);
  return sum_over_ranks(comm, wrong.count);
}

}  // namespace

api::Result<DecodeRow> run_decode_step(api::Communicator& communicator, const DecodeModel& model,
                                       size_t batch, size_t steps, Registration registration) {
  const unirackComm_t comm = communicator.handle();
  const size_t count = batch * model.hidden;
  DecodeRow row;
  row.batch = batch;
  row.bytes = count * size_of(unirackBfloat16);
  std::optional<Buffer> buffer = Buffer::make(comm, row.bytes, registration);
  if (!buffer) return api::Error{unirackResourceExhausted, {}, "no memory for the activations"};
  auto wrong = run_checked(communicator, buffer->data(), count);
  if (!wrong) return wrong.error();
  row.wrong = *wrong;

  std::memset(buffer->data(), 0, row.bytes);  // sums of sums stay what they are
  std::vector<double> operations_us, steps_us;
  for (size_t step = 0; step <= steps; ++step) {
    if (api::Status status = communicator.barrier(); !status) return status.error();
    const double step_start = now_us();
    for (size_t i = 0; i < model.all_reduces(); ++i) {
      const double start = now_us();
      api::Status status =
          api::to_status(unirackAllReduce(buffer->data(), buffer->data(), count, unirackBfloat16,
                                          unirackSum, comm, nullptr),
                         comm);
      if (!status) return status.error();
      if (step > 0) operations_us.push_back(now_us() - start);
    }
    if (step > 0) steps_us.push_back(now_us() - step_start);
  }
  row.plan = plan_of(unirackExplain(comm));
  auto all_operations = gather_from_ranks(comm, operations_us);
  if (!all_operations) return all_operations.error();
  auto all_steps = gather_from_ranks(comm, steps_us);
  if (!all_steps) return all_steps.error();
  row.operation_us = median(*all_operations);
  row.p99_us = quantile(*all_operations, 0.99);
  row.step_ms = median(*all_steps) / 1e3;
  return row;
}

}  // namespace unirack::perf
