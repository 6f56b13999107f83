#include "perf/topo/input.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "lib/topology/formats/formats.h"
#include "lib/topology/generate/generate.h"
#include "perf/topo/command_line.h"
#include "perf/topo/machine.h"

namespace unirack::topo {

namespace {

bool is_family(const std::string& source) {
  const std::string name = source.substr(0, source.find(':'));
  const auto families = fabric_families();
  return std::any_of(families.begin(), families.end(),
                     [&](const FabricFamily& family) { return family.name == name; });
}

}  // namespace

Result<std::string> read_text(const Console& console, const std::string& source) {
  const bool is_standard = source == "-";
  std::FILE* in = is_standard ? console.in : std::fopen(source.c_str(), "rbe");
  if (in == nullptr) return make_error(Code::system, "cannot open " + source, kNoRank, errno);
  const std::string name = is_standard ? "standard input" : source;
  std::string text;
  std::array<char, 65536> part;
  for (size_t got = 0; (got = std::fread(part.data(), 1, part.size(), in)) > 0;) {
    text.append(part.data(), got);
    if (text.size() > kTopologyFileMax) break;
  }
  const bool failed = std::ferror(in) != 0;
  const int why = errno;
  if (!is_standard) std::fclose(in);
  if (failed) return make_error(Code::system, "cannot read " + name, kNoRank, why);
  if (text.size() > kTopologyFileMax) {
    return make_error(Code::resource_exhausted,
                      fmt::format("{} has more than {} MiB", name, kTopologyFileMax >> 20));
  }
  return text;
}

bool is_file(const std::string& source) {
  return source == "-" || (!source.empty() && ::access(source.c_str(), F_OK) == 0);
}

void add_input(CommandLine& command, Input& input) {
  command.argument("FILE", input.source, false,
                   "a file of any format, - for standard input, or a generator's specification "
                   "such as nvl72:racks=8; without it, this machine");
  command.option("--from", "FORMAT", input.format,
                 "the file's format; default: recognised by its content");
}

void add_faults(CommandLine& command, Input& input) {
  command.repeated("--kill", "FAULT", input.kills, {},
                   "what if it were down: gpu:N, nic:N, leaf:N, spine:N (a number or a name), "
                   "host:NAME, link:A:B; may be repeated");
  command.number("--partial-rack", input.partial_rack, 1, UINT32_MAX,
                 "leave so many GPUs, and their NICs, in the last rack");
}

Result<Graph> load_source(const Console& console, const std::string& source,
                          const std::string& format) {
  if (source.empty()) return this_machine(console);
  if (source == "-") {
    const std::string text = UNIRACK_TRY(read_text(console, source));
    return graph_of_text(text, source, format);
  }
  const bool exists = ::access(source.c_str(), F_OK) == 0;
  if (!exists && format.empty() && is_family(source)) return generate(source);
  if (!exists && source.find('/') == std::string::npos &&
      (source.find(':') != std::string::npos || source.find('.') == std::string::npos)) {
    return make_error(Code::invalid_argument,
                      fmt::format("'{0}' is neither a file nor a fabric that can be generated: "
                                  "'unirack-topo generate --list' names those",
                                  source));
  }
  return read_graph_file(source, format, {});
}

Result<Graph> graph_of_text(std::string_view text, const std::string& source,
                            const std::string& format) {
  return read_graph(text, format, {.file_name = source == "-" ? "standard input" : source});
}

Result<Graph> with_faults(Graph graph, const Input& input) {
  for (const std::string& kill : input.kills) graph = UNIRACK_TRY(with_fault(graph, kill));
  if (input.partial_rack > 0) {
    graph = UNIRACK_TRY(with_fault(graph, fmt::format("partial-rack:{}", input.partial_rack)));
  }
  return graph;
}

Result<Graph> load(const Console& console, const Input& input) {
  const Progress progress(console, "reading " + title_of(input));
  Graph graph = UNIRACK_TRY(load_source(console, input.source, input.format));
  return with_faults(std::move(graph), input);
}

std::string title_of(const Input& input) {
  std::string title = input.source.empty()  ? "this machine"
                      : input.source == "-" ? "standard input"
                                            : input.source;
  // Of a path, what people call the file.
  if (!is_family(input.source)) title = title.substr(title.rfind('/') + 1);
  for (const std::string& kill : input.kills) title += " without " + kill;
  if (input.partial_rack > 0) {
    title += fmt::format(" with {} GPUs in the last rack", input.partial_rack);
  }
  return title;
}

}  // namespace unirack::topo
