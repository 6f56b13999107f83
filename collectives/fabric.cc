#include "collectives/fabric.h"

#include <algorithm>
#include <array>
#include <thread>

#include "collectives/executor.h"
#include "collectives/record.h"
#include "lib/base/thread.h"
#include "lib/control/messages.h"
#include "lib/topology/pool.h"

namespace unirack {

namespace {

// How a pair is joined, as both ends must see it: the transport's place in the table and whether it
// reaches by load/store; or not at all.
constexpr uint8_t kLoadStore = 0x80;
constexpr uint8_t kNotJoined = 0x7f;

// The second half of open(): memory every transport can reach.
Status register_own(Fabric& fabric) {
  for (const Fabric::Open& open : fabric.transports) {
    for (SharedMemory* memory : {&fabric.inbox, &fabric.scratch}) {
      std::unique_ptr<Registration> registration;
      if (open.transport != nullptr) {
        const Memory described{memory->data(), memory->size(), memory->fd(), MemoryKind::host};
        registration = UNIRACK_TRY(open.transport->register_memory(described, Access::read_write));
      }
      fabric.registrations.push_back(std::move(registration));
    }
  }
  return ok_status();
}

// What this rank sends of its machine; discovered, if it must be, while the pairs connect.
class MachineLook {
 public:
  MachineLook(const Fabric& fabric, std::span<const RankPlace> places) {
    const size_t row_bytes = places.size();
    if (speaker_of(places, fabric.rank) != fabric.rank || row_bytes >= kBlobBytesMax) return;
    view_ = fabric.machine_view;
    if (!view_.empty()) return;
    const auto look = [this, bytes_max = kBlobBytesMax - row_bytes] {
      view_ = unirack::machine_view(bytes_max);
    };
    auto thread = start_thread("unirack-look", look);
    if (thread) {
      thread_ = std::move(thread).value();
    } else {
      look();
    }
  }
  ~MachineLook() {
    if (thread_.joinable()) thread_.join();
  }
  MachineLook(const MachineLook&) = delete;
  MachineLook& operator=(const MachineLook&) = delete;

  // Empty: another rank speaks for the machine.
  const std::vector<std::byte>& view() {
    if (thread_.joinable()) thread_.join();
    return view_;
  }

 private:
  std::vector<std::byte> view_;
  std::thread thread_;
};

// Joins this rank to its peers in rounds: each pair tries its best transport that is left; pairs
// where either end failed try the next one in the next round.
class Connector {
 public:
  Connector(Fabric& fabric, std::vector<Card> cards, MachineLook& look, ControlPlane& control,
            const Config& config, Deadline deadline)
      : fabric_(fabric),
        cards_(std::move(cards)),
        look_(look),
        control_(control),
        config_(config),
        deadline_(deadline) {}

  Status run() {
    const auto ranks = static_cast<size_t>(fabric_.rank_count);
    choice_.assign(ranks, 0);
    done_.assign(ranks, false);
    done_[static_cast<size_t>(fabric_.rank)] = true;
    why_.resize(ranks);
    for (size_t round = 0; round <= fabric_.transports.size(); ++round) {
      for (size_t peer = 0; peer < ranks; ++peer) {
        if (!done_[peer]) UNIRACK_TRY(choose(peer));
      }
      attempt();
      if (UNIRACK_TRY(agree())) return ok_status();
    }
    return make_error(Code::unavailable, "no transport joins all ranks");
  }

  // By rank and rank, after run().
  const std::vector<std::vector<std::byte>>& rows() const { return rows_; }
  // By rank, after run().
  const std::vector<std::vector<std::byte>>& views() const { return views_; }

 private:
  const CardTransport* offer(size_t peer, size_t transport) const {
    const std::string_view name = transport_table()[transport].name;
    for (const CardTransport& each : cards_[peer].transports) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }

  // Moves the pair's choice to the next transport that both have and that reaches.
  Status choose(size_t peer) {
    for (; choice_[peer] < fabric_.transports.size(); ++choice_[peer]) {
      const auto& transport = fabric_.transports[choice_[peer]].transport;
      const CardTransport* theirs = offer(peer, choice_[peer]);
      if (transport != nullptr && theirs != nullptr &&
          transport->reach(theirs->address) != Reach::none) {
        return ok_status();
      }
    }
    const auto rank = static_cast<Rank>(peer);
    return make_error(Code::unavailable,
                      "no transport joins rank " + std::to_string(fabric_.rank) + " and rank " +
                          std::to_string(rank) + why_[peer],
                      rank);
  }

  // Connects every path of every open pair; what fails within the time is left undone.
  void attempt() {
    std::vector<size_t> open(done_.size(), 0);
    size_t total = 0;
    for (size_t peer = 0; peer < done_.size(); ++peer) {
      if (done_[peer]) continue;
      open[peer] = start(peer);
      total += open[peer];
    }
    std::array<Completion, 64> completions;
    while (total > 0 && !expired(deadline_) && control_.verdict() == nullptr) {
      size_t moved = 0;
      for (const Fabric::Open& each : fabric_.transports) {
        if (each.transport == nullptr) continue;
        const size_t count = each.transport->poll(completions);
        moved += count;
        for (size_t i = 0; i < count; ++i) {
          const auto peer = static_cast<size_t>(split_token(completions[i].token).operation);
          if (peer >= open.size() || open[peer] == 0) continue;
          if (completions[i].status) {
            --open[peer];
            --total;
          } else {
            fail(peer, completions[i].status.error());
            total -= open[peer];
            open[peer] = 0;
          }
        }
      }
      if (moved == 0) std::this_thread::yield();
    }
    for (size_t peer = 0; peer < done_.size(); ++peer) {
      if (done_[peer] || fabric_.links[peer].paths.empty()) continue;
      if (open[peer] > 0) {
        fail(peer, make_error(Code::timeout, "no connection by the join deadline"));
      } else {
        finish(peer);
      }
    }
  }

  // How many connections it has begun.
  size_t start(size_t peer) {
    PeerLink& link = fabric_.links[peer];
    link.peer = static_cast<Rank>(peer);
    link.transport = choice_[peer];
    Transport& transport = *fabric_.transports[choice_[peer]].transport;
    const CardTransport* theirs = offer(peer, choice_[peer]);
    const bool is_message = transport.reach(theirs->address) == Reach::message;
    const int paths = is_message ? path_count(shared_rails(peer)) : 1;
    for (int path = 0; path < paths; ++path) {
      auto endpoint =
          transport.connect(link.peer, theirs->address, path, TrafficClass::collective,
                            make_token({peer, static_cast<uint32_t>(path), TokenKind::connect}));
      if (!endpoint) {
        fail(peer, endpoint.error());
        return 0;
      }
      link.paths.push_back(std::move(endpoint).value());
    }
    return link.paths.size();
  }

  void fail(size_t peer, const Error& error) {
    const std::string_view name = transport_table()[choice_[peer]].name;
    why_[peer] += "; " + std::string(name) + ": " + error.detail;
    fabric_.links[peer].paths.clear();
  }

  void finish(size_t peer) {
    PeerLink& link = fabric_.links[peer];
    const CardTransport* theirs = offer(peer, choice_[peer]);
    for (const auto& path : link.paths) {
      auto inbox = path->import(theirs->inbox);
      auto scratch = path->import(theirs->scratch);
      if (!inbox || !scratch) {
        fail(peer, inbox ? scratch.error() : inbox.error());
        return;
      }
      link.inbox.push_back(*inbox);
      link.scratch.push_back(*scratch);
    }
    done_[peer] = true;
  }

  uint32_t shared_rails(size_t peer) const {
    return std::min(fabric_.transports[choice_[peer]].transport->rail_count(),
                    offer(peer, choice_[peer])->rail_count);
  }
  // As many on every rail.
  int path_count(uint32_t rails) const {
    const auto wanted = static_cast<uint32_t>(config_.tcp_connections);
    const uint32_t each = (wanted + rails - 1) / rails;
    return static_cast<int>(std::min(each * rails, kLanesMax));
  }

  uint8_t joined_by(size_t peer) const {
    const CardTransport* theirs = offer(peer, choice_[peer]);
    if (peer == static_cast<size_t>(fabric_.rank) || theirs == nullptr) return 0;
    const Transport& transport = *fabric_.transports[choice_[peer]].transport;
    const bool load_store = transport.reach(theirs->address) == Reach::load_store;
    return static_cast<uint8_t>(choice_[peer] | (load_store ? kLoadStore : 0));
  }

  // Tells all which transport joined whom. True when every pair stands on both ends.
  Result<bool> agree() {
    std::vector<std::byte> row;
    for (size_t peer = 0; peer < done_.size(); ++peer) {
      row.push_back(static_cast<std::byte>(done_[peer] ? joined_by(peer) : kNotJoined));
    }
    // The first time the view goes along: an exchange of its own would lengthen every join.
    if (views_.empty()) row.insert(row.end(), look_.view().begin(), look_.view().end());
    rows_ = UNIRACK_TRY(control_.exchange(row, deadline_));
    UNIRACK_TRY(take_views());
    bool all = true;
    const auto self = static_cast<size_t>(fabric_.rank);
    for (size_t a = 0; a < rows_.size(); ++a) {
      for (size_t b = 0; b < a; ++b) {
        if (rows_[a][b] == rows_[b][a] && rows_[a][b] != std::byte{kNotJoined}) continue;
        all = false;
        const size_t peer = a == self ? b : (b == self ? a : self);
        if (peer == self) continue;
        PeerLink& link = fabric_.links[peer];
        link.paths.clear();
        link.inbox.clear();
        link.scratch.clear();
        done_[peer] = false;
        ++choice_[peer];
      }
    }
    return all;
  }

  // Cuts what follows the rows from the first ones.
  Status take_views() {
    const bool is_first = views_.empty();
    for (std::vector<std::byte>& row : rows_) {
      if (row.size() < rows_.size() || (!is_first && row.size() > rows_.size())) {
        return make_error(Code::corrupted, "a row of transports has the wrong length");
      }
      const auto end = row.begin() + static_cast<ptrdiff_t>(rows_.size());
      if (is_first) views_.emplace_back(end, row.end());
      row.erase(end, row.end());
    }
    return ok_status();
  }

  Fabric& fabric_;
  std::vector<Card> cards_;
  MachineLook& look_;
  ControlPlane& control_;
  const Config& config_;
  const Deadline deadline_;
  std::vector<size_t> choice_;
  std::vector<bool> done_;
  std::vector<std::string> why_;
  std::vector<std::vector<std::byte>> rows_;
  std::vector<std::vector<std::byte>> views_;
};

// Rails of the link that has the fewest; plans cut large messages into as many lanes.
uint32_t fewest_rails(const std::vector<Card>& cards, const TopologySpec& spec) {
  uint32_t fewest = 0;
  for (size_t i = 0; i < spec.transports.size(); ++i) {
    if (spec.load_store[i] != 0) continue;
    for (const size_t end : {i / cards.size(), i % cards.size()}) {
      for (const CardTransport& each : cards[end].transports) {
        if (each.name != spec.transports[i]) continue;
        fewest = fewest == 0 ? each.rail_count : std::min(fewest, each.rail_count);
      }
    }
  }
  return std::max(fewest, 1u);
}

Result<Topology> make_topology(const std::vector<Card>& cards,
                               const std::vector<std::vector<std::byte>>& rows, Graph graph,
                               const Config& config) {
  TopologySpec spec;
  spec.graph = std::move(graph);
  spec.rank_count = static_cast<int>(cards.size());
  for (const Card& card : cards) spec.homes.push_back(card.home);
  for (size_t a = 0; a < cards.size(); ++a) {
    for (size_t b = 0; b < cards.size(); ++b) {
      const auto joined = static_cast<uint8_t>(rows[a][b]);
      const size_t index = joined & ~kLoadStore;
      if (index >= transport_table().size()) {
        return make_error(Code::corrupted, "a row of transports names one that does not exist");
      }
      spec.load_store.push_back(a == b || (joined & kLoadStore) != 0 ? 1 : 0);
      spec.transports.emplace_back(a == b ? "" : transport_table()[index].name);
    }
  }
  for (const int size : config.sum_shape) {
    spec.sum_group_sizes.push_back(static_cast<uint32_t>(size));
  }
  spec.rail_count = fewest_rails(cards, spec);
  return Topology::make(std::move(spec));
}

}  // namespace

Result<std::unique_ptr<Fabric>> Fabric::open(const TransportContext& context) {
  auto fabric = std::make_unique<Fabric>();
  fabric->rank = context.rank;
  fabric->rank_count = context.rank_count;
  fabric->window_bytes = context.config->scratch_bytes;
  fabric->links.resize(static_cast<size_t>(context.rank_count));
  fabric->inbox = UNIRACK_TRY(SharedMemory::create(Inbox::bytes(context.rank_count)));
  fabric->scratch = UNIRACK_TRY(SharedMemory::create(fabric->window_bytes * kInFlightMax));
  auto [opened, unavailable] = UNIRACK_TRY(open_transports(context));
  for (const TransportEntry& entry : transport_table()) {
    Open& open = fabric->transports.emplace_back();
    open.why_not = "not among UNIRACK_TRANSPORTS";
    for (auto& transport : opened) {
      if (transport != nullptr && transport->name() == entry.name) {
        open.transport = std::move(transport);
        break;
      }
    }
    for (const auto& [name, reason] : unavailable) {
      if (name == entry.name) open.why_not = reason.detail;
    }
  }
  UNIRACK_TRY(register_own(*fabric));
  return fabric;
}

Card Fabric::card(const std::string& domain) const {
  Card card;
  card.home = home_of(domain);
  card.place = {machine_name(), host_id(), domain, own_numa_nodes()};
  card.window_bytes = window_bytes;
  for (size_t i = 0; i < transports.size(); ++i) {
    if (transports[i].transport == nullptr) continue;
    const BytesView inbox_at = registrations[2 * i]->descriptor();
    const BytesView scratch_at = registrations[2 * i + 1]->descriptor();
    card.transports.push_back({std::string(transport_table()[i].name),
                               transports[i].transport->address(),
                               {inbox_at.begin(), inbox_at.end()},
                               {scratch_at.begin(), scratch_at.end()},
                               transports[i].transport->rail_count()});
  }
  return card;
}

Status Fabric::connect(ControlPlane& control, const Config& config, Deadline deadline) {
  std::vector<Card> cards;
  std::vector<RankPlace> places;
  for (Rank each = 0; each < rank_count; ++each) {
    cards.push_back(UNIRACK_TRY(decode_card(control.card(each))));
    places.push_back(cards.back().place);
    hosts.push_back(places.back().kernel);
    if (cards.back().window_bytes != window_bytes) {
      return make_error(Code::mismatch,
                        "rank " + std::to_string(each) + " has UNIRACK_SCRATCH_BYTES=" +
                            std::to_string(cards.back().window_bytes) + ", rank " +
                            std::to_string(rank) + " has " + std::to_string(window_bytes),
                        each);
    }
  }
  MachineLook look(*this, places);
  Connector connector(*this, cards, look, control, config, deadline);
  UNIRACK_TRY(connector.run());
  machine_view = connector.views()[static_cast<size_t>(speaker_of(places, rank))];
  PoolGraph pool = UNIRACK_TRY(make_pool_graph(places, connector.views()));
  contradictions = std::move(pool.contradictions);
  topology = UNIRACK_TRY(make_topology(cards, connector.rows(), std::move(pool.graph), config));
  return ok_status();
}

std::string Fabric::describe() const {
  std::string text = topology.to_text();
  text += "fabric: " + summary_of(topology.graph()) + "\n";
  for (const std::string& each : contradictions) text += "views differ: " + each + "\n";
  for (size_t i = 0; i < transports.size(); ++i) {
    if (transports[i].transport != nullptr) continue;
    text += "transport " + std::string(transport_table()[i].name) +
            " is not used: " + transports[i].why_not + "\n";
  }
  return text;
}

int Fabric::local_rank_count() const {
  return static_cast<int>(std::count(hosts.begin(), hosts.end(), hosts[static_cast<size_t>(rank)]));
}

}  // namespace unirack
