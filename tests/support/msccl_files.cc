#include "tests/support/msccl_files.h"

namespace unirack::testing {

namespace {

std::string text(int number) { return std::to_string(number); }

struct Place {
  char buffer = 'i';
  int chunk = 0;
};

struct After {
  int block = -1;
  int step = -1;
};

// Writes elements; a step's number is its place.
class Writer {
 public:
  Writer(const std::string& coll, int gpus, int channels, int chunks, bool in_place) {
    out_ = "<algo name=\"test_" + coll + "\" proto=\"Simple\" nchannels=\"" + text(channels) +
           "\" nchunksperloop=\"" + text(chunks) + "\" ngpus=\"" + text(gpus) + "\" coll=\"" +
           coll + "\" inplace=\"" + text(in_place ? 1 : 0) + "\">\n";
  }
  void gpu(int id, int input, int output, int scratch) {
    end_block();
    if (in_gpu_) out_ += "  </gpu>\n";
    in_gpu_ = true;
    block_ = 0;
    out_ += "  <gpu id=\"" + text(id) + "\" i_chunks=\"" + text(input) + "\" o_chunks=\"" +
            text(output) + "\" s_chunks=\"" + text(scratch) + "\">\n";
  }
  void block(int send, int receive, int channel) {
    end_block();
    in_block_ = true;
    step_ = 0;
    out_ += "    <tb id=\"" + text(block_++) + "\" send=\"" + text(send) + "\" recv=\"" +
            text(receive) + "\" chan=\"" + text(channel) + "\">\n";
  }
  int step(const std::string& type, Place source, Place target, After after = {},
           bool announces = false, int count = 1) {
    out_ += "      <step s=\"" + text(step_) + "\" type=\"" + type + "\" srcbuf=\"" +
            source.buffer + "\" srcoff=\"" + text(source.chunk) + "\" dstbuf=\"" + target.buffer +
            "\" dstoff=\"" + text(target.chunk) + "\" cnt=\"" + text(count) + "\" depid=\"" +
            text(after.block) + "\" deps=\"" + text(after.step) + "\" hasdep=\"" +
            text(announces ? 1 : 0) + "\"/>\n";
    return step_++;
  }
  std::string finish() && {
    end_block();
    return out_ + "  </gpu>\n</algo>\n";
  }

 private:
  void end_block() {
    if (in_block_) out_ += "    </tb>\n";
    in_block_ = false;
  }

  std::string out_;
  bool in_gpu_ = false;
  bool in_block_ = false;
  int block_ = 0;
  int step_ = 0;
};

int wrapped(int value, int modulus) { return (value % modulus + modulus) % modulus; }

}  // namespace

std::string msccl_ring_all_reduce(int gpus, int channels) {
  Writer writer("allreduce", gpus, channels, gpus * channels, true);
  for (int gpu = 0; gpu < gpus; ++gpu) {
    writer.gpu(gpu, gpus * channels, gpus * channels, 0);
    for (int channel = 0; channel < channels; ++channel) {
      writer.block((gpu + 1) % gpus, wrapped(gpu - 1, gpus), channel);
      for (int time = 0; time <= 2 * gpus - 2; ++time) {
        const Place place{'i', wrapped(gpu - time, gpus) + channel * gpus};
        const char* type = time == 0             ? "s"
                           : time < gpus - 1     ? "rrs"
                           : time == gpus - 1    ? "rrcs"
                           : time < 2 * gpus - 2 ? "rcs"
                                                 : "r";
        writer.step(type, place, place);
      }
    }
  }
  return std::move(writer).finish();
}

std::string msccl_all_pairs_all_reduce(int gpus) {
  Writer writer("allreduce", gpus, 1, gpus, true);
  for (int gpu = 0; gpu < gpus; ++gpu) {
    writer.gpu(gpu, gpus, gpus, gpus);
    const auto peer_of = [&](int block) { return block < gpu ? block : block + 1; };
    // Where the first block adds everything up: after 2 steps, and a wait for each other block.
    const int last_add = 2 + (gpus - 2) + (gpus - 1) - 1;
    for (int block = 0; block < gpus - 1; ++block) {
      const int peer = peer_of(block);
      writer.block(peer, peer, 0);
      writer.step("s", {'i', peer}, {'s', gpu});
      writer.step("r", {'i', 0}, {'s', peer}, {}, true);
      if (block == 0) {
        for (int other = 1; other < gpus - 1; ++other) writer.step("nop", {}, {}, {other, 1});
        for (int other = 0; other < gpus - 1; ++other) {
          writer.step("re", {'s', peer_of(other)}, {'i', gpu}, {}, other == gpus - 2);
        }
        writer.step("s", {'i', gpu}, {'i', gpu});
      } else {
        writer.step("s", {'i', gpu}, {'i', gpu}, {0, last_add});
      }
      writer.step("r", {'i', peer}, {'i', peer});
    }
  }
  return std::move(writer).finish();
}

std::string msccl_hierarchical_all_reduce(int locals) {
  const int gpus = 2 * locals;
  Writer writer("allreduce", gpus, 2, locals, true);
  for (int gpu = 0; gpu < gpus; ++gpu) {
    const int node = gpu / locals;
    const int own = gpu % locals;
    const int across = (1 - node) * locals + own;
    writer.gpu(gpu, locals, locals, locals);
    // The block between the nodes comes last: it waits for each other, adds, and exchanges.
    const int outer = locals - 1;
    const int exchanged = 2 * (locals - 1) + 1;
    for (int other = 0; other < locals; ++other) {
      if (other == own) continue;
      const int peer = node * locals + other;
      writer.block(peer, peer, 0);
      writer.step("s", {'i', other}, {'s', own});
      writer.step("r", {}, {'s', other}, {}, true);
      writer.step("s", {'i', own}, {'i', own}, {outer, exchanged});
      writer.step("r", {}, {'i', other});
    }
    writer.block(across, across, 1);
    for (int block = 0; block < outer; ++block) writer.step("nop", {}, {}, {block, 1});
    for (int other = 0; other < locals; ++other) {
      if (other != own) writer.step("re", {'s', other}, {'i', own});
    }
    writer.step("s", {'i', own}, {'i', own});
    writer.step("rrc", {'i', own}, {'i', own}, {}, true);
  }
  return std::move(writer).finish();
}

std::string msccl_ring_all_gather(int gpus, bool in_place) {
  Writer writer("allgather", gpus, 1, gpus, in_place);
  for (int gpu = 0; gpu < gpus; ++gpu) {
    writer.gpu(gpu, 1, gpus, 0);
    writer.block((gpu + 1) % gpus, wrapped(gpu - 1, gpus), 0);
    if (!in_place) writer.step("cpy", {'i', 0}, {'o', gpu});
    writer.step("s", {'o', gpu}, {'o', gpu});
    for (int time = 1; time < gpus; ++time) {
      const Place place{'o', wrapped(gpu - time, gpus)};
      writer.step(time < gpus - 1 ? "rcs" : "r", place, place);
    }
  }
  return std::move(writer).finish();
}

std::string msccl_all_to_all(int gpus) {
  Writer writer("alltoall", gpus, 1, gpus, false);
  for (int gpu = 0; gpu < gpus; ++gpu) {
    writer.gpu(gpu, gpus, gpus, 0);
    for (int distance = 1; distance < gpus; ++distance) {
      const int to = (gpu + distance) % gpus;
      const int from = wrapped(gpu - distance, gpus);
      writer.block(to, from, 0);
      writer.step("s", {'i', to}, {'o', gpu});
      writer.step("r", {}, {'o', from});
    }
    writer.block(-1, -1, -1);
    writer.step("cpy", {'i', gpu}, {'o', gpu});
  }
  return std::move(writer).finish();
}

std::string msccl_relayed_all_gather(int gpus) {
  Writer writer("allgather", gpus, 1, gpus, false);
  for (int gpu = 0; gpu < gpus; ++gpu) {
    writer.gpu(gpu, 1, gpus, gpus);
    writer.block((gpu + 1) % gpus, wrapped(gpu - 1, gpus), 0);
    writer.step("s", {'i', 0}, {'s', gpu});
    for (int time = 1; time < gpus; ++time) {
      const Place place{'s', wrapped(gpu - time, gpus)};
      writer.step(time < gpus - 1 ? "rcs" : "r", place, place, {}, true);
    }
    writer.block(-1, -1, -1);
    writer.step("cpy", {'i', 0}, {'o', gpu});
    for (int time = 1; time < gpus; ++time) {
      const int owner = wrapped(gpu - time, gpus);
      writer.step("cpy", {'s', owner}, {'o', owner}, {0, time});
    }
  }
  return std::move(writer).finish();
}

}  // namespace unirack::testing
