#include "collectives/calibrate/calibrate.h"

#include <algorithm>
#include <array>
#include <vector>

#include "collectives/calibrate/cache.h"
#include "collectives/calibrate/costs_file.h"
#include "collectives/calibrate/fit.h"
#include "collectives/calibrate/local_speed.h"
#include "collectives/calibrate/ping_pong.h"
#include "collectives/calibrate/report.h"
#include "collectives/calibrate/turns.h"
#include "lib/base/log.h"

namespace unirack {

namespace {

constexpr auto kLocalTime = milliseconds(60);
constexpr auto kLinkTime = milliseconds(200);  // of a kind, if there are few
// With less than this until the pool must stand, nothing is measured.
constexpr auto kTimeMin = milliseconds(2'000);
// A peer that does not answer for the peer timeout and this, while the control plane says nothing.
constexpr auto kStallGrace = milliseconds(1'000);

using Reports = std::vector<CalibrationReport>;

class Calibrator {
 public:
  Calibrator(const Fabric& fabric, ControlPlane& control, const Config& config, Deadline deadline)
      : fabric_(fabric),
        control_(control),
        config_(config),
        deadline_(deadline),
        log_(config.log, fabric.rank),
        cache_(config.cache_folder, costs_key(fabric.topology), log_) {}

  Result<Calibration> run() {
    const TimePoint begin = now();
    const Reports first =
        UNIRACK_TRY(exchange(fabric_.rank == 0 ? opening() : CalibrationReport()));
    if (first[0].kind == ReportKind::costs) return Calibration{first[0].costs, first[0].origin};
    if (first[0].kind != ReportKind::measure) {
      return make_error(Code::corrupted, "rank 0 does not say what to calibrate by", 0);
    }
    Calibration made;
    made.origin = CostsOrigin::measured;
    UNIRACK_TRY(measure(made.costs));
    if (fabric_.rank == 0) {
      log_.info(Subsystem::plan, "measured in {} ms", to_ms(now() - begin));
      // What made no sense this time may do so the next.
      if (is_complete_) cache_.store(made.costs);
    }
    return made;
  }

 private:
  // What rank 0 was told, and what it finds.
  CalibrationReport opening() const {
    CalibrationReport report;
    report.kind = ReportKind::costs;
    report.origin = CostsOrigin::assumed;
    report.costs = assumed_host_costs();
    // One rank has nobody to plan with.
    if (config_.calibration == "default" || fabric_.rank_count == 1) return report;
    if (config_.calibration != "auto") {
      auto read = read_costs_file(config_.calibration, assumed_host_costs());
      if (!read) {
        report.kind = ReportKind::failed;
        report.error = read.error();
        report.error.detail = "UNIRACK_CALIBRATION: " + report.error.detail;
      } else {
        report.costs = *read;
        report.origin = CostsOrigin::file;
      }
    } else if (const auto kept = cache_.load()) {
      report.costs = *kept;
      report.origin = CostsOrigin::cache;
    } else if (deadline_ - now() > kTimeMin) {
      report.kind = ReportKind::measure;
    }
    return report;
  }

  // One report a rank; an error if any of them says so, which all ranks see alike.
  Result<Reports> exchange(const CalibrationReport& mine) {
    const auto blobs = UNIRACK_TRY(control_.exchange(encode_report(mine), deadline_));
    Reports reports;
    for (size_t rank = 0; rank < blobs.size(); ++rank) {
      auto report = decode_report(blobs[rank]);
      if (!report) {
        report.error().culprit = static_cast<Rank>(rank);
        return report.error();
      }
      if (report->kind == ReportKind::failed) return report->error;
      reports.push_back(std::move(report).value());
    }
    return reports;
  }

  Status measure(Costs& costs) {
    UNIRACK_TRY(measure_local(costs));
    const auto turns = measure_turns(fabric_.topology, fabric_.hosts);
    const auto count = static_cast<int64_t>(std::max<size_t>(1, turns.size()));
    const Duration time = std::min<Duration>(kLinkTime, (kCalibrationTime - kLocalTime) / count);
    for (size_t i = 0; i < turns.size(); ++i) {
      UNIRACK_TRY(measure_turn(turns[i], static_cast<uint32_t>(i + 1), time, costs));
    }
    return ok_status();
  }

  Status measure_local(Costs& costs) {
    const std::vector<Rank> ranks = measuring_ranks(fabric_.hosts);
    CalibrationReport mine;
    if (std::find(ranks.begin(), ranks.end(), fabric_.rank) != ranks.end()) {
      const LocalSpeed speed = measure_local_speed(deadline_in(kLocalTime));
      mine.kind = ReportKind::costs;
      mine.costs.copy_bandwidth = speed.copy_bandwidth;
      mine.costs.reduce_bandwidth = speed.reduce_bandwidth;
    }
    const Reports reports = UNIRACK_TRY(exchange(mine));
    costs.copy_bandwidth = middle(reports, [](const Costs& each) { return each.copy_bandwidth; });
    for (size_t i = 0; i < costs.reduce_bandwidth.size(); ++i) {
      costs.reduce_bandwidth[i] =
          middle(reports, [i](const Costs& each) { return each.reduce_bandwidth[i]; });
    }
    return ok_status();
  }

  Status measure_turn(const MeasureTurn& turn, uint32_t number, Duration time, Costs& costs) {
    CalibrationReport mine;
    for (const MeasuredPair& pair : turn.pairs) {
      if (pair.leader == fabric_.rank) mine = lead(turn.kind, pair.follower, number, time);
      if (pair.follower == fabric_.rank) mine = follow(pair.leader, number, time);
    }
    const Reports reports = UNIRACK_TRY(exchange(mine));
    LinkCosts& link = costs.of(turn.kind);
    const auto of_link = [&](auto member) {
      return middle(reports, [&](const Costs& each) { return each.of(turn.kind).*member; });
    };
    const auto is_measured = [&](const CalibrationReport& each) {
      return each.kind == ReportKind::costs && each.costs.of(turn.kind).is_measured;
    };
    if (std::any_of(reports.begin(), reports.end(), is_measured)) {
      link.latency_ps = of_link(&LinkCosts::latency_ps);
      link.gap_ps = of_link(&LinkCosts::gap_ps);
      link.bandwidth = of_link(&LinkCosts::bandwidth);
      link.is_measured = true;
    }
    for (const CalibrationReport& each : reports) {
      if (each.kind != ReportKind::refused) continue;
      is_complete_ = false;
      if (fabric_.rank != 0) continue;
      log_.info(Subsystem::plan, "a pair of {} does not count: {}", to_text(turn.kind),
                each.error.detail);
    }
    return ok_status();
  }

  CalibrationReport lead(LinkKind kind, Rank peer, uint32_t turn, Duration time) {
    Occupied occupied(control_, peer);
    PingPong game(fabric_, control_, peer, turn, patience(time));
    CalibrationReport report;
    const auto trips = game.lead(time);
    if (!trips) {
      report.kind = ReportKind::failed;
      report.error = trips.error();
      return report;
    }
    const auto costs = fit_link(*trips, assumed_costs().of(kind).holds_lane);
    report.kind = costs ? ReportKind::costs : ReportKind::refused;
    if (costs) report.costs.of(kind) = *costs;
    if (!costs) report.error = costs.error();
    return report;
  }

  CalibrationReport follow(Rank peer, uint32_t turn, Duration time) {
    Occupied occupied(control_, peer);
    const Status done = PingPong(fabric_, control_, peer, turn, patience(time)).follow();
    CalibrationReport report;
    if (!done) {
      report.kind = ReportKind::failed;
      report.error = done.error();
    }
    return report;
  }

  Deadline patience(Duration time) const {
    return std::min(deadline_, deadline_in(time + config_.peer_timeout + kStallGrace));
  }

  // Of what those have measured who have, field by field.
  template <class Field>
  static uint64_t middle(const Reports& reports, const Field& field) {
    std::vector<uint64_t> values;
    for (const CalibrationReport& each : reports) {
      if (each.kind == ReportKind::costs) values.push_back(field(each.costs));
    }
    return lower_median(std::move(values));
  }

  // Says that this rank is at work with a peer, so that silence of either is noticed.
  class Occupied {
   public:
    Occupied(ControlPlane& control, Rank peer) : control_(control) {
      Activity activity;
      activity.busy = true;
      activity.waiting_for = peer;
      control_.publish(activity);
    }
    ~Occupied() { control_.publish(Activity()); }
    Occupied(const Occupied&) = delete;
    Occupied& operator=(const Occupied&) = delete;

   private:
    ControlPlane& control_;
  };

  const Fabric& fabric_;
  ControlPlane& control_;
  const Config& config_;
  const Deadline deadline_;
  const Logger log_;
  const CostsCache cache_;
  bool is_complete_ = true;
};

}  // namespace

Result<Calibration> calibrate(const Fabric& fabric, ControlPlane& control, const Config& config,
                              Deadline deadline) {
  auto made = Calibrator(fabric, control, config, deadline).run();
  if (made && fabric.rank == 0) {
    Logger(config.log, fabric.rank).info(Subsystem::plan, "{}", to_text(*made));
  }
  return made;
}

std::string to_text(const Calibration& calibration) {
  constexpr std::array<std::string_view, 4> kOrigins = {"published", "pinned", "kept", "measured"};
  const std::string origin(kOrigins[static_cast<size_t>(calibration.origin)]);
  if (calibration.origin == CostsOrigin::assumed) return "costs: " + origin;
  return "costs: " + origin + ": " + summary_of(calibration.costs);
}

}  // namespace unirack
