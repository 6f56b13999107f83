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

// The form that a path's extension asks for; `otherwise` where it says nothing.
std::string form_of(std::string_view path, std::string_view otherwise);

// "unirack-json, nccl-xml, tree, matrix, svg, html"
std::string forms_text();

// Badges for what is wrong with the fabric.
std::vector<Note> notes_of(const Graph& graph);

}  // namespace unirack::topo
