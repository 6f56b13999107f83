#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "lib/topology/formats/host_tree.h"
#include "lib/topology/formats/hostlist.h"
#include "lib/topology/formats/slurm.h"
#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// Without what follows "#".
std::string_view without_comment(std::string_view line) {
  return trimmed(line.substr(0, line.find('#')));
}

// "Key=Value" of one line, keys in lower case.
using Values = std::map<std::string, std::string_view>;

class Parser {
 public:
  Result<HostTree> parse(std::string_view text) {
    LineReader lines(text);
    while (const auto line = lines.next()) {
      line_ = static_cast<uint32_t>(lines.number());
      if (!is_utf8(*line)) return bad_text(line_, "", "expected UTF-8");
      const std::string_view here = without_comment(*line);
      if (!here.empty()) UNIRACK_TRY(parse_line(here));
    }
    if (!found_) {
      return bad_text(0, "", "expected at least one 'SwitchName=' or 'BlockName=', found none");
    }
    return std::move(tree_);
  }

 private:
  Status parse_line(std::string_view line) {
    const Values values = UNIRACK_TRY(parse_values(line));
    if (values.contains("switchname")) return parse_switch(values);
    if (values.contains("blockname")) return parse_block(values);
    if (values.contains("blocksizes")) return ok_status();
    return bad_text(line_, "",
                    fmt::format("expected 'SwitchName=', 'BlockName=' or 'BlockSizes=', found {}",
                                shown(line)));
  }

  Result<Values> parse_values(std::string_view line) const {
    constexpr std::string_view kKnown[] = {"switchname", "switches",  "nodes",
                                           "linkspeed",  "blockname", "blocksizes"};
    Values values;
    for (const std::string_view word : words_of(line)) {
      const size_t equals = word.find('=');
      const std::string key = lower(word.substr(0, equals));
      if (equals == std::string_view::npos ||
          std::find(std::begin(kKnown), std::end(kKnown), key) == std::end(kKnown)) {
        return bad_text(line_, "",
                        fmt::format("expected 'SwitchName=', 'Switches=', 'Nodes=', 'LinkSpeed=', "
                                    "'BlockName=' or 'BlockSizes=', found {}",
                                    shown(word)));
      }
      if (!values.emplace(key, word.substr(equals + 1)).second) {
        return bad_text(line_, shown(word.substr(0, equals)), "expected once in a line");
      }
    }
    return values;
  }

  Result<std::string_view> name_of(const Values& values, const std::string& key) const {
    const std::string_view name = values.at(key);
    if (name.empty() || name.find_first_of("[],") != std::string_view::npos) {
      return bad_text(line_, key == "switchname" ? "SwitchName" : "BlockName",
                      fmt::format("expected one name, found {}", shown(name)));
    }
    return name;
  }

  // The names of "Nodes" or "Switches"; none where it does not stand.
  Result<std::vector<std::string>> list_of(const Values& values, const std::string& key) {
    const auto found = values.find(key);
    if (found == values.end()) return std::vector<std::string>();
    auto names = expand_hostlist(found->second);
    const char* const element = key == "nodes" ? "Nodes" : "Switches";
    if (!names) return bad_text(line_, element, names.error().detail);
    if ((names_ += names->size()) > kHostlistNamesMax) {
      return bad_text(line_, element,
                      fmt::format("expected at most {} names in the file", kHostlistNamesMax));
    }
    return names;
  }

  Status parse_switch(const Values& values) {
    found_ = true;
    const size_t index = tree_.switch_index(UNIRACK_TRY(name_of(values, "switchname")));
    if (tree_.at(index).line != 0) {
      return bad_text(line_, "SwitchName",
                      fmt::format("expected another name, found {} as on line {}",
                                  shown(values.at("switchname")), tree_.at(index).line));
    }
    tree_.at(index).line = line_;
    const auto speed = values.find("linkspeed");
    if (speed != values.end()) {
      tree_.at(index).attributes.emplace_back("link_speed", std::string(speed->second));
    }
    const auto switches = UNIRACK_TRY(list_of(values, "switches"));
    for (const std::string& child : switches) {
      const size_t at = tree_.switch_index(child);
      tree_.at(index).children.push_back(at);
    }
    const auto nodes = UNIRACK_TRY(list_of(values, "nodes"));
    for (const std::string& node : nodes) {
      tree_.place(node, index);
      tree_.host(node).line = line_;
    }
    return ok_status();
  }

  Status parse_block(const Values& values) {
    found_ = true;
    const std::string_view name = UNIRACK_TRY(name_of(values, "blockname"));
    const auto nodes = UNIRACK_TRY(list_of(values, "nodes"));
    for (const std::string& node : nodes) {
      HostTree::Host& host = tree_.host(node);
      if (!host.domain.empty() && host.domain != name) {
        return bad_text(line_, "Nodes",
                        fmt::format("expected each node in one block, found {} in {} too",
                                    shown(node), shown(host.domain)));
      }
      host.domain = name;
      host.line = line_;
    }
    return ok_status();
  }

  HostTree tree_;
  uint32_t line_ = 0;
  size_t names_ = 0;
  bool found_ = false;
};

// Whether the first line that says something begins so.
bool begins_with_key(std::string_view text, std::initializer_list<std::string_view> keys) {
  LineReader lines(text);
  while (const auto line = lines.next()) {
    const std::string here = lower(without_comment(line->substr(0, 4096)).substr(0, 16));
    if (here.empty()) continue;
    return std::any_of(keys.begin(), keys.end(),
                       [&](std::string_view key) { return here.starts_with(key); });
  }
  return false;
}

}  // namespace

bool recognises_slurm_tree(std::string_view text) { return begins_with_key(text, {"switchname="}); }

bool recognises_slurm_block(std::string_view text) {
  return begins_with_key(text, {"blockname=", "blocksizes="});
}

Result<Graph> read_slurm(std::string_view text, const ReadOptions& options) {
  HostTree tree = UNIRACK_TRY(Parser().parse(text));
  return std::move(tree).make_graph(options.file_name.empty() ? "slurm"
                                                              : "slurm " + options.file_name);
}

}  // namespace unirack
