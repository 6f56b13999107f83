// A graph in any form that the tool can write: a file format, text, or a picture.
#pragma once

#include <string>
#include <string_view>

#include "lib/topology/graph.h"
#include "lib/topology/render/svg.h"
#include "perf/topo/console.h"

namespace unirack::topo {

// `form` is a writable format's name, "tree", "matrix", "svg" or "html".
Result<std::string> written(const Graph& graph, std::string_view form,
                            const PictureOptions& options);

// To a file, or to standard output for "-". Without a form the path's extension decides, and
// unirack-json where that says nothing.
Status write_as(const Console& console, const Graph& graph, const std::string& form,
                const std::string& path, const std::string& title);

// "unirack-json, nccl-xml, tree, matrix, svg, html"
std::string forms_text();

// Badges for what is wrong with the fabric.
std::vector<Note> notes_of(const Graph& graph);

}  // namespace unirack::topo
