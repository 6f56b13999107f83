#include "tests/support/mscclpp_plan.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

namespace unirack::testing {

namespace {

using Json = nlohmann::json;

struct Gpu {
  std::map<std::string, std::vector<PlanChunk>> buffers;  // "i", "o", "s"
  std::vector<std::pair<int, int>> channels;              // by number: peer, its number there
  std::vector<int> signals;                               // by channel: that were sent here
  std::vector<int> semaphores;
};

struct Block {
  size_t gpu = 0;
  Json json;
  size_t next = 0;
};

class Machine {
 public:
  explicit Machine(const Json& plan) : plan_(plan) {}

  PlanOutcome run(uint64_t seed) {
    load();
    std::mt19937_64 random(seed);
    std::vector<size_t> open(blocks_.size());
    for (size_t i = 0; i < open.size(); ++i) open[i] = i;
    while (!open.empty() && outcome_.problem.empty()) {
      std::shuffle(open.begin(), open.end(), random);
      const auto moved = std::find_if(open.begin(), open.end(), [&](size_t i) { return step(i); });
      if (moved == open.end()) {
        outcome_.problem = "everybody waits";
        break;
      }
      if (blocks_[*moved].next == blocks_[*moved].json["ops"].size()) open.erase(moved);
    }
    for (Gpu& gpu : gpus_) outcome_.outputs.push_back(gpu.buffers["o"]);
    return std::move(outcome_);
  }

 private:
  void load() {
    for (const Json& json : plan_["gpus"]) {
      Gpu& gpu = gpus_.emplace_back();
      const int rank = json["id"];
      for (const auto& [buffer, field] :
           {std::pair("i", "input_chunks"), {"o", "output_chunks"}, {"s", "scratch_chunks"}}) {
        gpu.buffers[buffer].resize(json[field].get<size_t>());
      }
      for (size_t i = 0; i < gpu.buffers["i"].size(); ++i) {
        gpu.buffers["i"][i] = {{rank, static_cast<int>(i)}};
      }
      for (const Json& channels : json["channels"]) {
        for (const Json& peer : channels["connected_to"]) gpu.channels.push_back({peer, 0});
      }
      gpu.signals.resize(gpu.channels.size(), 0);
      for (const Json& semaphore : json["semaphores"]) {
        gpu.semaphores.push_back(semaphore["init_value"]);
      }
      for (const Json& block : json["threadblocks"]) {
        blocks_.push_back({gpus_.size() - 1, block});
        outcome_.operations_max = std::max(outcome_.operations_max, block["ops"].size());
        if (block["ops"].empty()) blocks_.pop_back();
      }
    }
    // The n-th channel to a peer is the peer's n-th back.
    for (size_t rank = 0; rank < gpus_.size(); ++rank) {
      std::map<int, int> seen;
      for (auto& [peer, number] : gpus_[rank].channels) {
        const int nth = seen[peer]++;
        const auto& back = gpus_[static_cast<size_t>(peer)].channels;
        int left = nth;
        for (size_t i = 0; i < back.size(); ++i) {
          if (back[i].first == static_cast<int>(rank) && left-- == 0) number = static_cast<int>(i);
        }
      }
    }
  }

  // The number on the GPU of what the block calls `index`.
  static size_t channel_of(const Block& block, size_t index) {
    return block.json["channels"][0]["channel_ids"][index];
  }

  // Runs the block's next operation; false: it waits.
  bool step(size_t index) {
    Block& block = blocks_[index];
    Gpu& gpu = gpus_[block.gpu];
    const Json& op = block.json["ops"][block.next];
    const std::string name = op["name"];
    if (name == "wait") {
      for (const Json& id : op["channel_ids"]) {
        if (gpu.signals[channel_of(block, id)] == 0) return false;
      }
      for (const Json& id : op["channel_ids"]) --gpu.signals[channel_of(block, id)];
    } else if (name == "sem_acquire") {
      for (const Json& id : op["semaphore_ids"]) {
        if (gpu.semaphores[id] == 0) return false;
      }
      for (const Json& id : op["semaphore_ids"]) --gpu.semaphores[id];
    } else if (name == "signal") {
      for (const Json& id : op["channel_ids"]) {
        const auto [peer, number] = gpu.channels[channel_of(block, id)];
        ++gpus_[static_cast<size_t>(peer)].signals[static_cast<size_t>(number)];
      }
    } else if (name == "sem_release") {
      for (const Json& id : op["semaphore_ids"]) ++gpu.semaphores[id];
    } else if (name != "nop") {
      move(block, op, name);
    }
    ++block.next;
    return true;
  }

  PlanChunk* chunk(const Block& block, const Json& place, size_t offset) {
    size_t owner = block.gpu;
    std::string buffer;
    if (place.contains("buffer_id")) {
      const size_t id =
          block
              .json["remote_buffer_refs"][0]["remote_buffer_ids"][place["buffer_id"].get<size_t>()];
      const Json& remote = plan_["gpus"][block.gpu]["remote_buffers"][id];
      owner = remote["rank"];
      buffer = remote["type"];
    } else {
      buffer = place["type"];
    }
    auto& chunks = gpus_[owner].buffers[buffer];
    const size_t at = place["index"].get<size_t>() + offset;
    if (at < chunks.size()) return &chunks[at];
    outcome_.problem = "touches a chunk that does not exist";
    return nullptr;
  }

  void move(const Block& block, const Json& op, const std::string& name) {
    const bool adds = name == "re" || name == "rre";
    if (!adds && name != "put" && name != "get" && name != "copy") {
      outcome_.problem = "has an operation " + name;
      return;
    }
    const Json& target = op["dst_buff"][0];
    for (size_t i = 0; i < target["size"].get<size_t>(); ++i) {
      PlanChunk sum;
      for (const Json& source : op["src_buff"]) {
        const PlanChunk* from = chunk(block, source, i);
        if (from == nullptr) return;
        if (from->empty()) outcome_.problem = name + " reads what nobody has written";
        sum.insert(sum.end(), from->begin(), from->end());
      }
      std::sort(sum.begin(), sum.end());
      PlanChunk* to = chunk(block, target, i);
      if (to == nullptr) return;
      *to = std::move(sum);
    }
  }

  const Json& plan_;
  std::vector<Gpu> gpus_;
  std::vector<Block> blocks_;
  PlanOutcome outcome_;
};

}  // namespace

PlanOutcome run_mscclpp_plan(const std::string& json, uint64_t seed) {
  const Json plan = Json::parse(json, nullptr, false);
  if (!plan.is_object()) return {.problem = "is no JSON"};
  return Machine(plan).run(seed);
}

}  // namespace unirack::testing
