#include "lib/topology/pool.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "lib/topology/discover/discover.h"
#include "lib/topology/discover/sysfs.h"
#include "lib/topology/graph_codec.h"
#include "lib/topology/merge.h"

namespace unirack {

namespace {

constexpr int kNumaNodesMax = 64;

// The numbers of "0-3,8", as far as they are below `limit`.
std::vector<int> parse_list(std::string_view list, int limit) {
  std::vector<int> numbers;
  while (!list.empty()) {
    const std::string_view range = list.substr(0, list.find(','));
    list.remove_prefix(std::min(range.size() + 1, list.size()));
    int first = 0;
    const char* end = range.data() + range.size();
    const auto [stop, error] = std::from_chars(range.data(), end, first);
    if (error != std::errc()) break;
    int last = first;
    if (stop != end && *stop == '-') std::from_chars(stop + 1, end, last);
    for (int number = first; number <= last && number < limit; ++number) numbers.push_back(number);
  }
  return numbers;
}

// Names of machines in the pool, by name and kernel.
class MachineNames {
 public:
  explicit MachineNames(std::span<const RankPlace> ranks) {
    std::map<std::string_view, int> counts;
    for (const RankPlace& place : ranks) {
      const auto [at, is_new] = names_.try_emplace({place.machine, place.kernel});
      if (!is_new) continue;
      const int count = ++counts[place.machine];
      at->second = place.machine + (count == 1 ? "" : "~" + std::to_string(count));
    }
  }
  const std::string& of(const RankPlace& place) const {
    return names_.at({place.machine, place.kernel});
  }

 private:
  std::map<std::pair<std::string_view, std::string_view>, std::string> names_;
};

// The view with another name for its machine.
Result<Graph> rename(const Graph& view, const std::string& machine, const std::string& name) {
  if (machine == name) return view;
  GraphBuilder builder(view);
  for (NodeIndex i = 0; i < builder.node_count(); ++i) {
    Node& node = builder.node(i);
    if (node.host == machine) node.host = name;
    if (node.name.starts_with(machine + "/")) node.name.replace(0, machine.size(), name);
  }
  return std::move(builder).build(view.origin());
}

// Beside the NUMA nodes it may run on; beside one that stands for all if none is known.
Status add_rank(GraphBuilder& builder, const RankPlace& place, const std::string& machine,
                Rank rank) {
  Node node{.kind = NodeKind::rank,
            .name = machine + "/rank" + std::to_string(rank),
            .host = machine,
            .domain = place.domain,
            .rank = rank,
            .provenance = Provenance::configured};
  Link link{.kind = LinkKind::shared_memory, .provenance = Provenance::sysfs};
  link.from = UNIRACK_TRY(builder.add(std::move(node)));
  std::vector<NodeIndex> beside;
  for (int i = 0; i < kNumaNodesMax; ++i) {
    if ((place.numa_nodes >> i & 1) == 0) continue;
    const auto cpu = builder.find(machine + "/cpu" + std::to_string(i));
    if (cpu) beside.push_back(*cpu);
  }
  if (beside.empty()) {
    beside.push_back(UNIRACK_TRY(builder.find_or_add({.kind = NodeKind::cpu,
                                                      .name = machine + "/cpu0",
                                                      .host = machine,
                                                      .provenance = Provenance::assumed})));
    link.provenance = Provenance::assumed;
  }
  for (const NodeIndex cpu : beside) {
    link.to = cpu;
    builder.join(link);
  }
  return ok_status();
}

}  // namespace

std::string machine_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "host";
  return name.data();
}

uint64_t own_numa_nodes() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 0;
  Sysfs sysfs("/");
  const std::string folder = "/sys/devices/system/node/";
  uint64_t nodes = 0;
  for (const int node : parse_list(sysfs.read(folder + "has_cpu").value_or(""), kNumaNodesMax)) {
    const std::string file = folder + "node" + std::to_string(node) + "/cpulist";
    const auto cpus = parse_list(sysfs.read(file).value_or(""), CPU_SETSIZE);
    if (std::any_of(cpus.begin(), cpus.end(), [&](int cpu) { return CPU_ISSET(cpu, &set); })) {
      nodes |= uint64_t{1} << node;
    }
  }
  return nodes;
}

std::vector<std::byte> machine_view(size_t bytes_max) {
  DiscoverOptions options;
  options.use_hwloc = false;  // cores and caches: nothing of the pool depends on them
  options.host = machine_name();
  const auto found = discover(options);
  if (!found) return {};
  std::vector<std::byte> bytes = encode_graph(found->graph);
  if (bytes.size() <= bytes_max) return bytes;
  GraphBuilder builder(found->graph);
  for (NodeIndex i = 0; i < builder.node_count(); ++i) builder.node(i).attributes.clear();
  const auto bare = std::move(builder).build(found->graph.origin());
  if (!bare) return {};
  bytes = encode_graph(*bare);
  if (bytes.size() > bytes_max) bytes.clear();
  return bytes;
}

Rank speaker_of(std::span<const RankPlace> ranks, Rank rank) {
  const RankPlace& own = ranks[static_cast<size_t>(rank)];
  for (Rank lower = 0; lower < rank; ++lower) {
    const RankPlace& other = ranks[static_cast<size_t>(lower)];
    if (other.machine == own.machine && other.kernel == own.kernel) return lower;
  }
  return rank;
}

Result<PoolGraph> make_pool_graph(std::span<const RankPlace> ranks,
                                  std::span<const std::vector<std::byte>> views) {
  const MachineNames names(ranks);
  std::vector<Graph> graphs;
  for (size_t i = 0; i < views.size(); ++i) {
    if (views[i].empty()) continue;
    auto view = decode_graph(views[i]);
    if (view) view = rename(*view, ranks[i].machine, names.of(ranks[i]));
    if (!view) {
      const auto rank = static_cast<Rank>(i);
      return make_error(Code::corrupted,
                        "the view of rank " + std::to_string(rank) + ": " + view.error().detail,
                        rank);
    }
    graphs.push_back(std::move(view).value());
  }
  PoolGraph pool;
  GraphBuilder builder;
  if (const auto merged = merge(graphs, &pool.contradictions)) {
    builder = GraphBuilder(*merged);
  } else {
    // A pool that is too large for a graph, say, is still a pool.
    pool.contradictions = {"the views are left out: " + merged.error().detail};
  }
  for (size_t i = 0; i < ranks.size(); ++i) {
    UNIRACK_TRY(add_rank(builder, ranks[i], names.of(ranks[i]), static_cast<Rank>(i)));
  }
  pool.graph = UNIRACK_TRY(std::move(builder).build("the pool"));
  return pool;
}

std::string summary_of(const Graph& graph) {
  std::set<std::string_view> machines;
  std::array<size_t, kNodeKindCount> counts{};
  for (const Node& node : graph.nodes()) {
    if (!node.host.empty()) machines.insert(node.host);
    ++counts[static_cast<size_t>(node.kind)];
  }
  const auto some = [](size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  std::string text = some(machines.size(), "machine");
  const char* separator = ": ";
  for (const auto& [kind, what] :
       {std::pair(NodeKind::cpu, "NUMA node"), std::pair(NodeKind::gpu, "GPU"),
        std::pair(NodeKind::nic, "NIC")}) {
    const size_t count = counts[static_cast<size_t>(kind)];
    if (count == 0) continue;
    text += separator + some(count, what);
    separator = ", ";
  }
  return text;
}

}  // namespace unirack
