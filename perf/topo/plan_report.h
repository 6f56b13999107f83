// What `plan` found, and how it is told: as text, as JSON, and as a page with pictures. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "collectives/planner.h"
#include "perf/topo/console.h"
#include "perf/topo/plan_pictures.h"
#include "perf/topo/schedule_bound.h"

namespace unirack::topo {

struct PlanReport {
  std::string title;  // "all_reduce of 1 MiB of float on dgx-h100"
  const Graph& graph;
  Request request;
  uint64_t bytes = 0;   // of the larger buffer
  uint32_t blocks = 1;  // of it
  const Choice& choice;
  std::optional<ScheduleBound> bound;
  std::vector<PlanRange> ranges;  // bytes are of a block; empty: nobody asked

  // Of the bound's; 0: there is none.
  double ratio(uint64_t time_ps) const;
};

std::string report_text(const Console& console, const PlanReport& report);
std::string report_json(const PlanReport& report);

std::string report_html(const PlanReport& report, const PlanPictures& pictures);

}  // namespace unirack::topo
