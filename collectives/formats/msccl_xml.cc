#include "collectives/formats/msccl_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "lib/topology/formats/text_reader.h"
#include "lib/topology/formats/xml_file.h"

namespace unirack {

namespace {

// Above what published files have: 8 GPUs with 64 blocks, 256 chunks.
constexpr int64_t kGpusMax = 1024;
constexpr int64_t kBlocksMax = 1024;  // of a GPU
constexpr int64_t kChannelsMax = 64;
constexpr int64_t kChunksOfFileMax = 1 << 16;
constexpr size_t kStepsOfFileMax = 1 << 20;
constexpr uint64_t kMovesMax = uint64_t{1} << 20;  // chunks, over all steps
constexpr int64_t kPlacesMax = 1 << 16;            // chunks of all inputs

struct OpName {
  std::string_view name;
  MscclOp op;
};
constexpr std::array kOps = {OpName{"s", MscclOp::send},
                             OpName{"r", MscclOp::receive},
                             OpName{"rcs", MscclOp::receive_copy_send},
                             OpName{"rrs", MscclOp::receive_reduce_send},
                             OpName{"rrc", MscclOp::receive_reduce_copy},
                             OpName{"rrcs", MscclOp::receive_reduce_copy_send},
                             OpName{"cpy", MscclOp::copy},
                             OpName{"re", MscclOp::reduce},
                             OpName{"nop", MscclOp::nop}};

struct CollectiveWord {
  std::string_view name;
  Collective collective;
};
constexpr std::array kCollectives = {CollectiveWord{"allreduce", Collective::all_reduce},
                                     CollectiveWord{"allgather", Collective::all_gather},
                                     CollectiveWord{"reduce_scatter", Collective::reduce_scatter},
                                     CollectiveWord{"reducescatter", Collective::reduce_scatter},
                                     CollectiveWord{"alltoall", Collective::all_to_all}};

struct ChunkCounts {
  int64_t input = 0;
  int64_t output = 0;
  int64_t scratch = 0;

  int64_t of(BufferId buffer) const {
    return buffer == BufferId::input ? input : buffer == BufferId::output ? output : scratch;
  }
};

class MscclReader {
 public:
  explicit MscclReader(XmlFile file) : file_(std::move(file)) {}

  Result<MscclAlgorithm> read() {
    const pugi::xml_node root = file_.root();
    if (std::string_view(root.name()) != "algo") {
      return file_.error(root, "expected an <algo> of MSCCL");
    }
    UNIRACK_TRY(read_head(root));
    for (const pugi::xml_node node : root.children()) {
      if (node.type() != pugi::node_element) continue;
      if (std::string_view(node.name()) != "gpu") return file_.error(node, "expected a <gpu>");
      UNIRACK_TRY(read_gpu(node));
    }
    for (size_t i = 0; i < seen_.size(); ++i) {
      if (!seen_[i]) return file_.error(root, fmt::format("expected a <gpu> of id {}", i));
    }
    return std::move(result_);
  }

 private:
  Status read_head(pugi::xml_node root) {
    // Ours are of a-z, 0-9 and _.
    for (const char c : std::string_view(root.attribute("name").value()).substr(0, 48)) {
      const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
      const bool is_plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
      result_.name += is_plain ? lower : '_';
    }
    if (result_.name.empty()) result_.name = "msccl";
    const auto word = UNIRACK_TRY(file_.needed_text(root, "coll"));
    const auto* const known =
        std::find_if(kCollectives.begin(), kCollectives.end(),
                     [&](const CollectiveWord& each) { return each.name == word; });
    if (known == kCollectives.end()) {
      return file_.error(root, fmt::format("expected allreduce, allgather, reduce_scatter or "
                                           "alltoall in 'coll', found {}",
                                           shown(word)));
    }
    result_.collective = known->collective;
    const int64_t gpus = UNIRACK_TRY(file_.needed_number(root, "ngpus", 1, kGpusMax));
    result_.gpus.resize(static_cast<size_t>(gpus));
    seen_.resize(static_cast<size_t>(gpus), false);
    const auto in_place = UNIRACK_TRY(file_.number(root, "inplace", 0, 1));
    result_.in_place = in_place.value_or(1) == 1 && result_.collective != Collective::all_to_all;
    channels_ = UNIRACK_TRY(file_.needed_number(root, "nchannels", 1, kChannelsMax));
    const int64_t chunks =
        UNIRACK_TRY(file_.needed_number(root, "nchunksperloop", 1, kChunksOfFileMax));
    const int64_t blocks = result_.collective == Collective::all_reduce ? 1 : gpus;
    if (chunks % blocks != 0) {
      return file_.error(
          root,
          fmt::format("expected a multiple of {} in 'nchunksperloop', found {}", blocks, chunks));
    }
    if (chunks * gpus > kPlacesMax) {
      return file_.error(root, fmt::format("expected at most {} chunks in all, found {}",
                                           kPlacesMax, chunks * gpus));
    }
    result_.chunks = static_cast<uint32_t>(chunks / blocks);
    return ok_status();
  }

  int64_t chunks_of(Rank gpu, BufferId buffer) const {
    return int64_t{result_.layout().blocks(gpu, buffer)} * result_.chunks;
  }

  Status read_gpu(pugi::xml_node node) {
    const int64_t id = UNIRACK_TRY(file_.needed_number(node, "id", 0, result_.rank_count() - 1));
    if (seen_[static_cast<size_t>(id)]) {
      return file_.error(node, fmt::format("expected one <gpu> of id {}, found a second", id));
    }
    seen_[static_cast<size_t>(id)] = true;
    gpu_ = static_cast<Rank>(id);
    const int64_t input = chunks_of(gpu_, BufferId::input);
    const int64_t output = chunks_of(gpu_, BufferId::output);
    counts_.input = UNIRACK_TRY(file_.needed_number(node, "i_chunks", 0, input));
    counts_.output = UNIRACK_TRY(file_.needed_number(node, "o_chunks", 0, output));
    counts_.scratch = UNIRACK_TRY(file_.needed_number(node, "s_chunks", 0, kChunksOfFileMax));
    // Blocks may stand in any order; their ids have no gaps.
    std::vector<std::optional<MscclBlock>> blocks;
    for (const pugi::xml_node child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      if (std::string_view(child.name()) != "tb") return file_.error(child, "expected a <tb>");
      const int64_t block = UNIRACK_TRY(file_.needed_number(child, "id", 0, kBlocksMax - 1));
      if (blocks.size() <= static_cast<size_t>(block))
        blocks.resize(static_cast<size_t>(block) + 1);
      auto& slot = blocks[static_cast<size_t>(block)];
      if (slot) return file_.error(child, fmt::format("expected one <tb> of id {}", block));
      slot = UNIRACK_TRY(read_block(child));
    }
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (!blocks[i]) return file_.error(node, fmt::format("expected a <tb> of id {}", i));
      result_.gpus[static_cast<size_t>(id)].blocks.push_back(std::move(*blocks[i]));
    }
    return check_dependences(node);
  }

  Status check_dependences(pugi::xml_node node) const {
    const auto& blocks = result_.gpus[static_cast<size_t>(gpu_)].blocks;
    for (const MscclBlock& block : blocks) {
      for (const MscclStep& step : block.steps) {
        if (step.after_block < 0) continue;
        const auto target = static_cast<size_t>(step.after_block);
        const auto number = static_cast<size_t>(step.after_step);
        const bool is_there = target < blocks.size() && number < blocks[target].steps.size();
        if (is_there && &blocks[target] != &block) continue;
        return file_.error(
            node, fmt::format("expected 'depid' and 'deps' of a step of another <tb>, found {} and "
                              "{} in gpu {}",
                              step.after_block, step.after_step, gpu_));
      }
    }
    return ok_status();
  }

  Result<MscclBlock> read_block(pugi::xml_node node) {
    MscclBlock block;
    block.offset = offset_of(node);
    const int64_t last = result_.rank_count() - 1;
    block.send = static_cast<int32_t>(UNIRACK_TRY(file_.needed_number(node, "send", -1, last)));
    block.receive = static_cast<int32_t>(UNIRACK_TRY(file_.needed_number(node, "recv", -1, last)));
    const int64_t least = block.send < 0 && block.receive < 0 ? -1 : 0;
    block.channel =
        static_cast<int32_t>(UNIRACK_TRY(file_.needed_number(node, "chan", least, channels_ - 1)));
    if (block.send == gpu_ || block.receive == gpu_) {
      return file_.error(node, "expected another GPU in 'send' and 'recv', found its own");
    }
    for (const pugi::xml_node child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      if (std::string_view(child.name()) != "step") return file_.error(child, "expected a <step>");
      if (++step_count_ > kStepsOfFileMax) {
        return file_.error(child, fmt::format("expected at most {} steps", kStepsOfFileMax));
      }
      block.steps.push_back(UNIRACK_TRY(read_step(child, block)));
    }
    return block;
  }

  Result<MscclStep> read_step(pugi::xml_node node, const MscclBlock& block) {
    MscclStep step;
    step.offset = offset_of(node);
    const auto number = static_cast<int64_t>(block.steps.size());
    (void)UNIRACK_TRY(file_.needed_number(node, "s", number, number));
    const auto word = UNIRACK_TRY(file_.needed_text(node, "type"));
    const auto* const known = std::find_if(kOps.begin(), kOps.end(),
                                           [&](const OpName& each) { return each.name == word; });
    if (known == kOps.end()) {
      return file_.error(
          node,
          fmt::format("expected s, r, rcs, rrs, rrc, rrcs, cpy, re or nop in 'type', found {}",
                      shown(word)));
    }
    step.op = known->op;
    step.after_block =
        static_cast<int32_t>(UNIRACK_TRY(file_.needed_number(node, "depid", -1, kBlocksMax - 1)));
    const int64_t first = step.after_block < 0 ? -1 : 0;
    step.after_step = static_cast<int32_t>(
        UNIRACK_TRY(file_.needed_number(node, "deps", first, int64_t{kStepsOfFileMax})));
    step.announces = UNIRACK_TRY(file_.needed_number(node, "hasdep", 0, 1)) == 1;
    if (step.op == MscclOp::nop) return step;
    if (sends(step.op) && block.send < 0) {
      return file_.error(node, "expected a peer in 'send' of its <tb>, which sends");
    }
    if (receives(step.op) && block.receive < 0) {
      return file_.error(node, "expected a peer in 'recv' of its <tb>, which receives");
    }
    if (reduces(step.op) && !is_reduction(result_.collective)) {
      return file_.error(node, "expected no reduction in a collective that only moves data");
    }
    const int64_t count = UNIRACK_TRY(file_.needed_number(node, "cnt", 1, kChunksOfFileMax));
    step.count = static_cast<uint32_t>(count);
    moves_ += step.count;
    if (moves_ > kMovesMax) {
      return file_.error(node, fmt::format("expected at most {} chunks moved", kMovesMax));
    }
    if (reads_source(step.op)) {
      step.source = UNIRACK_TRY(read_place(node, "srcbuf", "srcoff", count));
    }
    if (writes_target(step.op)) {
      step.target = UNIRACK_TRY(read_place(node, "dstbuf", "dstoff", count));
    }
    return step;
  }

  Result<MscclPlace> read_place(pugi::xml_node node, const char* buffer, const char* offset,
                                int64_t count) const {
    const auto word = UNIRACK_TRY(file_.needed_text(node, buffer));
    const size_t index = std::string_view("ios").find(word);
    if (word.size() != 1 || index == std::string_view::npos) {
      return file_.error(node,
                         fmt::format("expected i, o or s in '{}', found {}", buffer, shown(word)));
    }
    const auto id = static_cast<BufferId>(index);
    const int64_t most = counts_.of(id) - count;
    if (most < 0) {
      return file_.error(node, fmt::format("expected at most {} chunks in '{}', found {}",
                                           counts_.of(id), buffer, count));
    }
    const int64_t chunk = UNIRACK_TRY(file_.needed_number(node, offset, 0, most));
    return MscclPlace{id, static_cast<uint32_t>(chunk)};
  }

  static size_t offset_of(pugi::xml_node node) {
    return static_cast<size_t>(std::max<ptrdiff_t>(node.offset_debug(), 0));
  }

  XmlFile file_;
  MscclAlgorithm result_;
  std::vector<bool> seen_;  // by GPU
  int64_t channels_ = 1;
  Rank gpu_ = 0;
  ChunkCounts counts_;
  size_t step_count_ = 0;
  uint64_t moves_ = 0;
};

}  // namespace

MscclPlace MscclAlgorithm::own_place(Rank gpu, MscclPlace place) const {
  if (!in_place || place.buffer != BufferId::input) return place;
  const auto output = layout().aliased_output(gpu, place.chunk / chunks);
  if (!output) return place;
  return {BufferId::output, *output * chunks + place.chunk % chunks};
}

Error MscclAlgorithm::error(std::string_view text, uint32_t gpu, uint32_t block, uint32_t step,
                            std::string_view why) const {
  const size_t offset = gpus[gpu].blocks[block].steps[step].offset;
  return bad_text(line_at(text, offset), fmt::format("gpu {}, tb {}, step {}", gpu, block, step),
                  why);
}

Result<MscclAlgorithm> read_msccl_xml(std::string_view text) {
  XmlFile file = UNIRACK_TRY(XmlFile::parse(text));
  return MscclReader(std::move(file)).read();
}

}  // namespace unirack
