#include "lib/topology/formats/formats.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "lib/topology/formats/hwloc_xml.h"
#include "lib/topology/formats/ibnetdiscover.h"
#include "lib/topology/formats/link_list.h"
#include "lib/topology/formats/nccl_xml.h"
#include "lib/topology/formats/netq.h"
#include "lib/topology/formats/nvidia_smi.h"
#include "lib/topology/formats/slurm.h"
#include "lib/topology/formats/taccl.h"
#include "lib/topology/formats/topograph.h"
#include "lib/topology/formats/unirack_json.h"

namespace unirack {

namespace {

// What is recognised first stands first.
constexpr auto kFormats = std::to_array<Format>({
    {"unirack-json", "our own JSON, with all that a graph holds (docs/topology-json.md)",
     recognises_unirack_json, read_unirack_json, write_unirack_json},
    {"ibnetdiscover", "what ibnetdiscover prints of an InfiniBand fabric", recognises_ibnetdiscover,
     read_ibnetdiscover, nullptr},
    {"nccl-xml", "NCCL's topology file, and RCCL's (NCCL_TOPO_FILE, NCCL_TOPO_DUMP_FILE)",
     recognises_nccl_xml, read_nccl_xml, write_nccl_xml},
    {"hwloc-xml", "what hwloc exports of a machine (lstopo machine.xml), versions 1 to 3",
     recognises_hwloc_xml, read_hwloc_xml, nullptr},
    {"nvidia-smi", "the matrix that nvidia-smi topo -m prints of one machine",
     recognises_nvidia_smi, read_nvidia_smi, write_nvidia_smi},
    {"slurm-tree", "Slurm's topology.conf for its tree plugin", recognises_slurm_tree, read_slurm,
     write_slurm_tree},
    {"slurm-block", "Slurm's topology.conf for its block plugin", recognises_slurm_block,
     read_slurm, write_slurm_block},
    {"netq", "NVIDIA NetQ's topologyGraph and computeNodes, in JSON", recognises_netq, read_netq,
     nullptr},
    {"taccl", "a machine or several as TACCL's JSON", recognises_taccl, read_taccl, write_taccl},
    {"teccl", "matrices of capacity and latency, as in TE-CCL", recognises_teccl, read_teccl,
     write_teccl},
    {"links", "links between named nodes in JSON, for files by hand", recognises_links, read_links,
     write_links},
    {"topograph", "a model of NVIDIA's topograph, in YAML", recognises_topograph, read_topograph,
     nullptr},
});

std::string names() {
  std::string text;
  for (const Format& format : formats()) {
    text += (text.empty() ? "" : ", ") + std::string(format.name);
  }
  return text;
}

Error with_file(Error error, const ReadOptions& options) {
  if (!options.file_name.empty()) error.detail = options.file_name + ": " + error.detail;
  return error;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return make_error(Code::system, "cannot open " + path, kNoRank, errno);
  std::string text;
  std::array<char, 65536> part;
  while (file.read(part.data(), part.size()) || file.gcount() > 0) {
    text.append(part.data(), static_cast<size_t>(file.gcount()));
    if (text.size() > kTopologyFileMax) {
      return make_error(Code::resource_exhausted,
                        path + " has more than " + std::to_string(kTopologyFileMax >> 20) + " MiB");
    }
  }
  if (file.bad()) return make_error(Code::system, "cannot read " + path, kNoRank, errno);
  return text;
}

}  // namespace

std::span<const Format> formats() { return kFormats; }

const Format* find_format(std::string_view name) {
  const auto all = formats();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Format& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

const Format* recognise(std::string_view text) {
  const auto all = formats();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Format& each) { return each.recognises(text); });
  return found == all.end() ? nullptr : &*found;
}

Result<Graph> read_graph(std::string_view text, std::string_view format,
                         const ReadOptions& options) {
  const Format* reader = format.empty() ? recognise(text) : find_format(format);
  if (reader == nullptr) {
    return with_file(make_error(Code::invalid_argument,
                                format.empty() ? "is of no known format: expected one of " + names()
                                               : "'" + std::string(format) +
                                                     "' is no format: expected one of " + names()),
                     options);
  }
  auto graph = reader->read(text, options);
  if (!graph) return with_file(std::move(graph).error(), options);
  return graph;
}

Result<Graph> read_graph_file(const std::string& path, std::string_view format,
                              ReadOptions options) {
  if (options.file_name.empty()) options.file_name = path;
  return read_graph(UNIRACK_TRY(read_file(path)), format, options);
}

}  // namespace unirack
