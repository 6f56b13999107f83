#include "perf/topo/plan_pictures.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/topology/render/text.h"
#include "perf/topo/call.h"
#include "perf/topo/schedule_input.h"
#include "perf/topo/timeline.h"

namespace unirack::topo {

namespace {

constexpr uint64_t kTilesDrawn = 8;
constexpr uint64_t kTilesDrawnOfMany = 3;  // ranks
constexpr size_t kMembersDrawn = 4096;
// So few are drawn one by one; of more, those that differ.
constexpr int kRanksApart = 8;
constexpr int kRanksMany = 64;

}  // namespace

// Resources stand in the order of their links.
std::vector<LinkLoad> link_loads(const Graph& graph, const Network& network,
                                 const Simulation& simulation) {
  std::vector<LinkLoad> loads;
  size_t next = 0;
  const auto& resources = network.resources();
  for (LinkIndex index = 0; index < graph.links().size() && next < resources.size(); ++index) {
    const Link& link = graph.link(index);
    const std::string name = graph.node(link.from).name + " > " + graph.node(link.to).name;
    if (link.health == Health::down || resources[next].name != name) continue;
    const ResourceLoad& load = simulation.loads[next];
    const uint64_t full_ps = transfer_ps(load.bytes, resources[next].bandwidth);
    ++next;
    if (load.bytes == 0 || simulation.time_ps == 0) continue;
    const uint64_t percent = full_ps * 100 / simulation.time_ps;
    loads.push_back({index, static_cast<uint32_t>(std::min<uint64_t>(100, percent))});
  }
  return loads;
}

Result<PlanPictures> draw_plan(const Schedule& schedule, const Graph& graph, const Network& network,
                               SimulatedCall call, SimulateOptions options) {
  const Schedule tiled = call.tile_bytes > 0 ? schedule.with_tiles(call.tile_bytes) : schedule;
  const uint64_t tiles = tiled.tile_count(call.count * size_of(call.type));
  const uint64_t drawn =
      schedule.header().rank_count > kRanksMany ? kTilesDrawnOfMany : kTilesDrawn;
  if (tiles > drawn) {
    call.count = drawn * tiled.header().tile_bytes / size_of(call.type);
  }
  options.record = true;
  options.fold = schedule.header().rank_count > kRanksApart;
  const Simulation simulation = UNIRACK_TRY(simulate(tiled, network, call, options));
  PlanPictures pictures;
  const std::string size = size_text(bytes_of(tiled, call));
  pictures.caption = tiles > kTilesDrawn ? fmt::format("The first {} of {} tiles: a call of {}.",
                                                       kTilesDrawn, grouped(tiles), size)
                                         : fmt::format("A call of {}, in {}.", size,
                                                       count_text(tiles, "tile", "tiles"));
  const std::string title = schedule_title(schedule);
  pictures.timeline = timeline_svg(simulation, tiled, network, fmt::format("{}, {}", title, size));
  if (graph.members().size() > kMembersDrawn) return pictures;
  PictureOptions picture;
  picture.title = fmt::format("{} on {}", title, graph.origin());
  picture.loads = link_loads(graph, network, simulation);
  pictures.fabric = render_svg(graph, picture);
  return pictures;
}

}  // namespace unirack::topo
