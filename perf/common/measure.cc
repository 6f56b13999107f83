#include "perf/common/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "perf/common/statistics.h"

namespace unirack::perf {
namespace {

// Of all threads of the process, the library's included.
double cpu_us() {
  timespec time = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

}  // namespace

double now_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::micro>(now).count();
}

api::Result<std::vector<double>> gather_from_ranks(unirackComm_t comm,
                                                   const std::vector<double>& mine) {
  int rank_count = 0;
  unirackCommCount(comm, &rank_count);
  std::vector<double> all(mine.size() * static_cast<size_t>(rank_count));
  const unirackResult_t code =
      unirackAllGather(mine.data(), all.data(), mine.size(), unirackFloat64, comm, nullptr);
  if (api::Status status = api::to_status(code, comm); !status) return status.error();
  return all;
}

api::Result<int64_t> sum_over_ranks(unirackComm_t comm, size_t mine) {
  auto all = gather_from_ranks(comm, {static_cast<double>(mine)});
  if (!all) return all.error();
  int64_t sum = 0;
  for (double value : *all) sum += static_cast<int64_t>(value);
  return std::max(sum, static_cast<int64_t>(mine));
}

api::Status Meter::run_once(const Prepared& prepared) {
  return api::to_status(
      prepared.collective->run(prepared.call, prepared.send, prepared.recv, comm_), comm_);
}

api::Status Meter::run_iteration(const Prepared& prepared) {
  if (options_.aggregate == 1) return run_once(prepared);
  if (auto code = unirackGroupStart(); code != unirackSuccess) return api::to_status(code, comm_);
  for (size_t i = 0; i < options_.aggregate; ++i) {
    if (api::Status status = run_once(prepared); !status) {
      unirackGroupEnd();
      return status;
    }
  }
  return api::to_status(unirackGroupEnd(), comm_);
}

api::Status Meter::barrier() { return api::to_status(unirackBarrier(comm_, nullptr), comm_); }

Prepared Meter::prepare(const Collective& collective, const Call& call, bool in_place) {
  std::byte* send = buffers_.send.data() + buffers_.unalign_bytes;
  std::byte* recv = buffers_.recv.data() + buffers_.unalign_bytes;
  if (in_place) {
    const InPlace place = collective.in_place(call);
    send = recv + place.send_offset * size_of(call.type);
    recv += place.recv_offset * size_of(call.type);
  }
  return {&collective, call, send, recv};
}

Meter::Extent Meter::writable(const Prepared& prepared, bool in_place) const {
  const size_t element = size_of(prepared.call.type);
  const auto begin = static_cast<size_t>(prepared.recv - buffers_.recv.data());
  const size_t end = begin + extent_of(prepared.collective->outputs(prepared.call)) * element;
  if (!in_place) return {begin, end};
  const auto send = static_cast<size_t>(prepared.send - buffers_.recv.data());
  const size_t send_end = send + extent_of(prepared.collective->inputs(prepared.call)) * element;
  return {std::min(begin, send), std::max(end, send_end)};
}

size_t Meter::local_wrong(const Prepared& prepared, const Oracle& oracle, bool in_place) const {
  const Collective& collective = *prepared.collective;
  const int rank = prepared.call.rank;
  const size_t element = size_of(prepared.call.type);
  const Blocks outputs = collective.outputs(prepared.call);
  const Wrong wrong = count_wrong(oracle, outputs, element, prepared.recv);
  if (wrong.count > 0) {
    fmt::print(stderr, "rank {}: {} of {} values wrong, first {}\n", rank, wrong.count,
               extent_of(outputs), wrong.first);
  }
  const Extent extent = writable(prepared, in_place);
  const size_t spoiled = buffers_.recv.count_spoiled(extent.begin, extent.end);
  if (spoiled > 0) {
    fmt::print(stderr, "rank {}: {} bytes outside the receive buffer were written\n", rank,
               spoiled);
  }
  if (in_place) return wrong.count + spoiled;
  const Wrong input = count_wrong(oracle, collective.inputs(prepared.call), element, prepared.send);
  if (input.count > 0) {
    fmt::print(stderr, "rank {}: {} values of the send buffer changed, first {}\n", rank,
               input.count, input.first);
  }
  return wrong.count + spoiled + input.count;
}

api::Result<int64_t> Meter::check(const Prepared& prepared, bool in_place, uint64_t seed) {
  const Collective& collective = *prepared.collective;
  const Call& call = prepared.call;
  const auto op = collective.reduces() ? std::optional<Op>(call.op) : std::nullopt;
  const Oracle oracle(call.type, op, call.rank_count, seed);
  buffers_.recv.poison(writable(prepared, in_place).end);
  fill_blocks(oracle, collective.inputs(call), size_of(call.type), prepared.send);
  if (api::Status status = run_once(prepared); !status) return status.error();
  return sum_over_ranks(comm_, local_wrong(prepared, oracle, in_place));
}

api::Result<Measurement> Meter::measure(const Prepared& prepared) {
  for (size_t i = 0; i < options_.warmup; ++i) {
    if (api::Status status = run_iteration(prepared); !status) return status.error();
  }
  return options_.timing == Timing::throughput ? measure_throughput(prepared)
                                               : measure_each(prepared);
}

api::Result<Measurement> Meter::measure_throughput(const Prepared& prepared) {
  if (api::Status status = barrier(); !status) return status.error();
  const double start = options_.cpu_time ? cpu_us() : now_us();
  for (size_t i = 0; i < options_.iterations; ++i) {
    if (api::Status status = run_iteration(prepared); !status) return status.error();
  }
  const double elapsed = (options_.cpu_time ? cpu_us() : now_us()) - start;
  plan_ = plan_of(unirackExplain(comm_));
  const double sharing = options_.cpu_time ? options_.ranks_per_process() : 1;
  const auto operations = static_cast<double>(options_.iterations * options_.aggregate);
  auto all = gather_from_ranks(comm_, {elapsed / operations / sharing});
  if (!all) return all.error();
  Measurement measurement;
  measurement.time_us = average(*all, options_.average);
  return measurement;
}

api::Result<Measurement> Meter::measure_each(const Prepared& prepared) {
  const bool separate = options_.timing == Timing::latency && !prepared.collective->synchronizes();
  std::vector<double> mine(options_.iterations);
  if (api::Status status = barrier(); !status) return status.error();
  for (double& sample : mine) {
    if (separate) {
      if (api::Status status = barrier(); !status) return status.error();
    }
    const double start = now_us();
    if (api::Status status = run_iteration(prepared); !status) return status.error();
    sample = (now_us() - start) / static_cast<double>(options_.aggregate);
  }
  plan_ = plan_of(unirackExplain(comm_));
  auto all = gather_from_ranks(comm_, mine);
  if (!all) return all.error();
  std::vector<double> samples = std::move(*all);
  if (separate) {  // the slowest rank of each iteration
    for (size_t i = mine.size(); i < samples.size(); ++i) {
      double& slowest = samples[i % mine.size()];
      slowest = std::max(slowest, samples[i]);
    }
    samples.resize(mine.size());
  }
  Measurement measurement;
  measurement.time_us = average(samples, Average::mean);
  measurement.median_us = median(samples);
  measurement.p99_us = quantile(samples, 0.99);
  return measurement;
}

}  // namespace unirack::perf
