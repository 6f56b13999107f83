#include "lib/topology/formats/topograph.h"

#include <fmt/format.h>

#include <map>

#include "lib/topology/formats/host_tree.h"
#include "lib/topology/formats/hostlist.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/formats/yaml_file.h"

namespace unirack {

namespace {

using Kind = JsonValue::Kind;

class TopographReader {
 public:
  explicit TopographReader(const JsonFile& file) : file_(file) {}

  Result<HostTree> read() {
    const JsonValue& root = file_.root();
    if (!root.is_object()) return file_.error(root, expected_kind("a map", root));
    const JsonValue* switches = root.find("switches");
    if (switches != nullptr && switches->kind != Kind::null) {
      UNIRACK_TRY(read_switches(*switches));
    }
    bool has_blocks = false;
    for (const std::string_view key : {"blocks", "capacity_blocks"}) {
      const JsonValue* blocks = root.find(key);
      if (blocks == nullptr) continue;
      has_blocks = true;
      UNIRACK_TRY(read_blocks(*blocks));
    }
    const JsonValue* nodes = UNIRACK_TRY(file_.object(root, "nodes"));
    for (size_t i = 0; nodes != nullptr && i < nodes->keys.size(); ++i) {
      UNIRACK_TRY(read_node(nodes->keys[i], nodes->items[i]));
    }
    if (switches == nullptr && !has_blocks) {
      return file_.error(root, "expected 'switches' or 'blocks', found neither");
    }
    return std::move(tree_);
  }

 private:
  Status read_switches(const JsonValue& switches) {
    if (switches.is_object()) {
      for (size_t i = 0; i < switches.keys.size(); ++i) {
        UNIRACK_TRY(read_switch(switches.keys[i], switches.items[i]));
      }
      return ok_status();
    }
    if (!switches.is_list())
      return file_.error(switches, expected_kind("a map or a list", switches));
    for (const JsonValue& each : switches.items) {
      const auto name = UNIRACK_TRY(name_of(each));
      UNIRACK_TRY(read_switch(name, each));
    }
    return ok_status();
  }

  Result<std::string_view> name_of(const JsonValue& value) const {
    if (!value.is_object()) return file_.error(value, expected_kind("a map", value));
    const auto name = UNIRACK_TRY(file_.text(value, "name"));
    if (!name || name->empty()) return file_.error(value, "expected a 'name', found none");
    return *name;
  }

  Status read_switch(std::string_view name, const JsonValue& value) {
    const size_t index = tree_.switch_index(name);
    if (tree_.at(index).line != 0) {
      return file_.error(
          value, fmt::format("expected another name than {}, found it on line {} too", shown(name),
                             tree_.at(index).line));
    }
    tree_.at(index).line = value.line;
    if (value.kind == Kind::null) return ok_status();
    if (!value.is_object()) return file_.error(value, expected_kind("a map", value));
    const auto switches = UNIRACK_TRY(names_of(value, "switches"));
    for (const std::string& child : switches) {
      const size_t at = tree_.switch_index(child);
      tree_.at(index).children.push_back(at);
    }
    const auto capacity_blocks = UNIRACK_TRY(names_of(value, "capacity_blocks"));
    for (const std::string& block : capacity_blocks) {
      switch_of_block_[block] = index;
    }
    const auto nodes = UNIRACK_TRY(names_of(value, "nodes"));
    for (const std::string& node : nodes) {
      tree_.place(node, index);
      tree_.host(node).line = value.line;
    }
    for (const std::string_view key : {"labels", "annotations"}) {
      const JsonValue* labels = UNIRACK_TRY(file_.object(value, key));
      if (labels == nullptr) continue;
      for (size_t i = 0; i < labels->keys.size(); ++i) {
        tree_.at(index).attributes.emplace_back(labels->keys[i], labels->items[i].text);
      }
    }
    return ok_status();
  }

  // A list of host lists.
  Result<std::vector<std::string>> names_of(const JsonValue& value, std::string_view key) {
    std::vector<std::string> names;
    const JsonValue* list = value.find(key);
    if (list == nullptr || list->kind == Kind::null) return names;
    if (!list->is_list()) return file_.error(*list, expected_kind("a list", *list));
    for (const JsonValue& each : list->items) {
      if (each.kind != Kind::text) return file_.error(each, expected_kind("a name", each));
      auto expanded = expand_hostlist(each.text);
      if (!expanded) return file_.error(each, expanded.error().detail);
      if ((names_ += expanded->size()) > kHostlistNamesMax) {
        return file_.error(each,
                           fmt::format("expected at most {} names in the file", kHostlistNamesMax));
      }
      std::move(expanded->begin(), expanded->end(), std::back_inserter(names));
    }
    return names;
  }

  Status read_blocks(const JsonValue& blocks) {
    if (!blocks.is_list() && !blocks.is_object()) {
      return file_.error(blocks, expected_kind("a map or a list", blocks));
    }
    for (size_t i = 0; i < blocks.items.size(); ++i) {
      UNIRACK_TRY(read_block(blocks.is_object() ? blocks.keys[i] : "", blocks.items[i]));
    }
    return ok_status();
  }

  // `name` is empty where it is not the key of the block.
  Status read_block(const std::string& name, const JsonValue& value) {
    if (!value.is_object()) return file_.error(value, expected_kind("a map", value));
    HostTree::Host like;
    like.line = value.line;
    for (const std::string_view key : {"labels", "annotations"}) {
      const JsonValue* labels = UNIRACK_TRY(file_.object(value, key));
      if (labels != nullptr) read_labels(*labels, like);
    }
    if (const auto nvlink = UNIRACK_TRY(file_.text(value, "nvlink"))) like.domain = *nvlink;
    if (const auto type = UNIRACK_TRY(file_.text(value, "type"))) like.model = *type;
    const auto under = UNIRACK_TRY(switch_of(name, value));
    const auto nodes = UNIRACK_TRY(names_of(value, "nodes"));
    for (const std::string& node : nodes) {
      HostTree::Host& host = tree_.host(node);
      if (host.line != 0 && !host.switches.empty() && under) {
        return file_.error(value, fmt::format("expected each node once, found {} on line {} too",
                                              shown(node), host.line));
      }
      auto switches = std::move(host.switches);
      host = like;
      host.switches = std::move(switches);
      if (under) tree_.place(node, *under);
    }
    return ok_status();
  }

  // What a model says of a node besides its block.
  Status read_node(const std::string& name, const JsonValue& value) {
    if (!value.is_object() && value.kind != Kind::null)
      return file_.error(value, expected_kind("a map", value));
    if (++names_ > kHostlistNamesMax) {
      return file_.error(value,
                         fmt::format("expected at most {} names in the file", kHostlistNamesMax));
    }
    HostTree::Host& host = tree_.host(name);
    if (host.line == 0) host.line = value.line;
    if (value.kind == Kind::null) return ok_status();
    if (const auto type = UNIRACK_TRY(file_.text(value, "type"))) host.model = *type;
    const JsonValue* attributes = UNIRACK_TRY(file_.object(value, "attributes"));
    const auto nvlink =
        UNIRACK_TRY(file_.text(attributes == nullptr ? value : *attributes, "nvlink"));
    if (nvlink) host.domain = *nvlink;
    return ok_status();
  }

  Result<std::optional<size_t>> switch_of(const std::string& key, const JsonValue& block) {
    if (const auto under = UNIRACK_TRY(file_.text(block, "switch"))) {
      return std::optional(tree_.switch_index(*under));
    }
    const std::string name(UNIRACK_TRY(file_.text(block, "name")).value_or(key));
    const auto known = switch_of_block_.find(name);
    return known == switch_of_block_.end() ? std::optional<size_t>() : known->second;
  }

  static void read_labels(const JsonValue& labels, HostTree::Host& host) {
    for (size_t i = 0; i < labels.keys.size(); ++i) {
      const std::string_view key = labels.keys[i];
      const std::string_view last = key.substr(key.find_last_of('/') + 1);
      const std::string& value = labels.items[i].text;
      if (last == "sub-domain" || last == "rack") host.rack = value;
      if (last == "domain" || last == "accelerator" || last == "level-0") host.domain = value;
    }
  }

  const JsonFile& file_;
  HostTree tree_;
  std::map<std::string, size_t> switch_of_block_;
  size_t names_ = 0;
};

}  // namespace

bool recognises_topograph(std::string_view text) {
  LineReader lines(text.substr(0, 65536));
  while (const auto line = lines.next()) {
    for (const std::string_view key : {"switches:", "blocks:", "capacity_blocks:"}) {
      if (line->starts_with(key)) return true;
    }
  }
  return false;
}

Result<Graph> read_topograph(std::string_view text, const ReadOptions& options) {
  const JsonFile file = UNIRACK_TRY(parse_yaml(text));
  HostTree tree = UNIRACK_TRY(TopographReader(file).read());
  return std::move(tree).make_graph(options.file_name.empty() ? "topograph"
                                                              : "topograph " + options.file_name);
}

}  // namespace unirack
