// Every file format that describes machines and fabrics, in one table: one file a format, each a
// pure function from text to Graph, some also back. Callable from any thread.
//
// A reader is bounded by the size of its input and by the limits in graph.h. It never guesses what
// a file does not say without marking it `assumed`, and it answers a bad file with its line, the
// element and what was expected: "line 12, <gpu>: expected a number in 'dev', found 'x'".
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lib/topology/graph.h"

namespace unirack {

struct ReadOptions {
  std::string file_name;  // for errors and for Graph::origin()
  std::string host;       // names a machine that the file does not name; empty: "host"
};

struct Format {
  std::string_view name;  // as in --from and --to: "nccl-xml"
  std::string_view what;  // one line for --help
  // Whether text that begins like this may be of this format; cheap.
  bool (*recognises)(std::string_view text) = nullptr;
  Result<Graph> (*read)(std::string_view text, const ReadOptions& options) = nullptr;
  // Null: cannot be written. Says what of the graph the format cannot hold only if that is all of
  // it.
  Result<std::string> (*write)(const Graph& graph) = nullptr;
};

std::span<const Format> formats();
// Null: there is none.
const Format* find_format(std::string_view name);
const Format* recognise(std::string_view text);

inline constexpr size_t kTopologyFileMax = size_t{256} << 20;

// `format` empty: recognised by content.
Result<Graph> read_graph(std::string_view text, std::string_view format,
                         const ReadOptions& options);
Result<Graph> read_graph_file(const std::string& path, std::string_view format,
                              ReadOptions options);

}  // namespace unirack
