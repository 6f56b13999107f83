#include "lib/topology/formats/yaml_file.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <sstream>

#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

using Kind = JsonValue::Kind;

uint32_t line_of(const YAML::Mark& mark) {
  return mark.line < 0 ? 0 : static_cast<uint32_t>(mark.line) + 1;
}

size_t count_values(const JsonValue& value) {
  size_t count = 1;
  for (const JsonValue& each : value.items) count += count_values(each);
  return count;
}

int depth_of(const JsonValue& value) {
  int depth = 0;
  for (const JsonValue& each : value.items) depth = std::max(depth, depth_of(each));
  return depth + 1;
}

// Builds our values from the parser's events; after an error it ignores the rest. Its names are
// yaml-cpp's.
class Events : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, anchor, {.kind = Kind::null});
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!is_utf8(value)) return fail(mark, "expected UTF-8");
    add(mark, anchor, {.kind = Kind::text, .text = value});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) return fail(mark, "expected an alias of what stands before");
    count_ += count_values(known->second);
    if (count_ > kYamlValuesMax) return fail(mark, too_many());
    if (open_.size() + static_cast<size_t>(depth_of(known->second)) > kJsonDepthMax) {
      return fail(mark, too_deep());
    }
    add(mark, 0, known->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, Kind::object);
  }
  void OnMapEnd() override { close(); }

  JsonValue root;
  std::optional<Error> error;

 private:
  // A list or object whose end has not been seen.
  struct Open {
    JsonValue value;
    YAML::anchor_t anchor = 0;
    std::set<std::string> keys;
    bool has_key = false;  // the next value belongs to the last key
  };

  static std::string too_many() {
    return fmt::format("expected at most {} values", kYamlValuesMax);
  }
  static std::string too_deep() {
    return fmt::format("expected at most {} levels of YAML", kJsonDepthMax);
  }

  void fail(const YAML::Mark& mark, std::string_view why) {
    if (!error) error = bad_text(line_of(mark), "", why);
  }

  void add(const YAML::Mark& mark, YAML::anchor_t anchor, JsonValue value) {
    if (error) return;
    if (++count_ > kYamlValuesMax) return fail(mark, too_many());
    value.line = line_of(mark);
    if (anchor != 0) {
      count_ += count_values(value);
      if (count_ > kYamlValuesMax) return fail(mark, too_many());
      anchors_[anchor] = value;
    }
    if (open_.empty()) {
      root = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (parent.value.kind == Kind::list) {
      parent.value.items.push_back(std::move(value));
    } else if (parent.has_key) {
      parent.value.items.push_back(std::move(value));
      parent.has_key = false;
    } else {
      add_key(mark, parent, std::move(value));
    }
  }

  void add_key(const YAML::Mark& mark, Open& parent, JsonValue key) {
    if (key.kind != Kind::text) return fail(mark, "expected a text as a key");
    if (!parent.keys.insert(key.text).second) {
      return fail(mark, fmt::format("{} stands twice in a map", shown(key.text)));
    }
    parent.value.keys.push_back(std::move(key.text));
    parent.has_key = true;
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, Kind kind) {
    if (error) return;
    if (open_.size() >= static_cast<size_t>(kJsonDepthMax)) return fail(mark, too_deep());
    if (!open_.empty() && open_.back().value.kind == Kind::object && !open_.back().has_key) {
      return fail(mark, "expected a text as a key");
    }
    Open& opened = open_.emplace_back();
    opened.value.kind = kind;
    opened.value.line = line_of(mark);
    opened.anchor = anchor;
  }

  void close() {
    if (error) return;
    Open closed = std::move(open_.back());
    open_.pop_back();
    YAML::Mark mark;
    mark.line = static_cast<int>(closed.value.line) - 1;
    add(mark, closed.anchor, std::move(closed.value));
  }

  std::vector<Open> open_;
  std::map<YAML::anchor_t, JsonValue> anchors_;
  size_t count_ = 0;
};

}  // namespace

Result<JsonFile> parse_yaml(std::string_view text) {
  if (text.size() > kYamlBytesMax) {
    return make_error(Code::resource_exhausted,
                      fmt::format("expected at most {} MiB of YAML, found {} bytes",
                                  kYamlBytesMax >> 20, text.size()));
  }
  Events events;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(events);
  } catch (const YAML::Exception& problem) {
    if (events.error) return *events.error;
    return bad_text(line_of(problem.mark), "", fmt::format("expected YAML: {}", problem.msg));
  } catch (const std::exception& problem) {  // out of memory
    return bad_text(0, "", fmt::format("expected YAML: {}", problem.what()));
  }
  if (events.error) return *events.error;
  return JsonFile::of(std::move(events.root));
}

}  // namespace unirack
