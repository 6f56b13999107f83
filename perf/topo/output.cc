#include "perf/topo/output.h"

#include <fmt/format.h>

#include "lib/topology/check/check.h"
#include "lib/topology/formats/formats.h"
#include "lib/topology/render/html.h"
#include "lib/topology/render/matrix.h"
#include "lib/topology/render/tree.h"

namespace unirack::topo {

namespace {

// By its extension.
std::string form_of(std::string_view path) {
  if (path.ends_with(".json")) return "unirack-json";
  if (path.ends_with(".xml")) return "nccl-xml";
  if (path.ends_with(".svg")) return "svg";
  if (path.ends_with(".html") || path.ends_with(".htm")) return "html";
  if (path.ends_with(".txt")) return "tree";
  return "unirack-json";
}

}  // namespace

Result<std::string> written(const Graph& graph, std::string_view form,
                            const PictureOptions& options) {
  if (form == "tree") return render_tree(graph);
  if (form == "matrix") return render_matrix(graph);
  if (form == "svg") return render_svg(graph, options);
  if (form == "html") return render_html(graph, options);
  const Format* format = find_format(form);
  if (format == nullptr || format->write == nullptr) {
    return make_error(Code::invalid_argument,
                      fmt::format("cannot write '{}': expected one of {}", form, forms_text()));
  }
  return format->write(graph);
}

Status write_as(const Console& console, const Graph& graph, const std::string& form,
                const std::string& path, const std::string& title) {
  const std::string chosen = form.empty() ? form_of(path) : form;
  const Progress progress(console, "writing " + chosen);
  PictureOptions options;
  options.title = title;
  return write_text(console, path, UNIRACK_TRY(written(graph, chosen, options)));
}

std::string forms_text() {
  std::string text;
  for (const Format& format : formats()) {
    if (format.write != nullptr) text += std::string(format.name) + ", ";
  }
  return text + "tree, matrix, svg, html";
}

std::vector<Note> notes_of(const Graph& graph) {
  constexpr size_t kNodesMax = 200;  // a finding about more is about the fabric
  std::vector<Note> notes;
  for (const Finding& finding : check_graph(graph)) {
    if (finding.severity < Severity::warning || finding.nodes.size() > kNodesMax) continue;
    // The rest of the sentence lists all of them.
    const std::string what = finding.evidence.substr(0, finding.evidence.find(": "));
    for (const NodeIndex node : finding.nodes) notes.push_back({node, what});
  }
  return notes;
}

}  // namespace unirack::topo
