#include "lib/topology/formats/json_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

using Kind = JsonValue::Kind;

// The line of the byte that the parser took last. It reads one byte beyond a number, so a line
// ends only with the byte after its newline.
struct Cursor {
  uint32_t line = 1;
  bool after_newline = false;
};

// What the parser reads through.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, Cursor* cursor) : at_(at), cursor_(cursor) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    if (cursor_->after_newline) ++cursor_->line;
    cursor_->after_newline = *at_ == '\n';
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  Cursor* cursor_;
};

// "[json.exception...] parse error at line 1, column 2: what is wrong" without what we say better.
std::string reason_of(std::string_view what) {
  const size_t head = what.find("parse error");
  if (head != std::string_view::npos) what.remove_prefix(head);
  const size_t colon = what.find(": ");
  if (colon != std::string_view::npos) what.remove_prefix(colon + 2);
  std::string reason;
  for (const char c : what.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    reason += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return reason;
}

// Builds our values from the events of the parser. Its names are the parser's.
class Events : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Events(const Cursor& cursor) : cursor_(cursor) {}

  bool null() override { return add(Kind::null) != nullptr; }
  bool boolean(bool value) override {
    JsonValue* added = add(Kind::boolean);
    if (added != nullptr) added->boolean = value;
    return added != nullptr;
  }
  bool number_integer(number_integer_t value) override {
    JsonValue* added = add(Kind::integer);
    if (added == nullptr) return false;
    added->integer = value;
    added->real = static_cast<double>(value);
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(INT64_MAX)) {
      return number_float(static_cast<double>(value), {});
    }
    return number_integer(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t&) override {
    JsonValue* added = add(Kind::real);
    if (added != nullptr) added->real = value;
    return added != nullptr;
  }
  bool string(string_t& value) override {
    JsonValue* added = add(Kind::text);
    if (added != nullptr) added->text = std::move(value);
    return added != nullptr;
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Kind::object); }
  bool start_array(size_t) override { return open(Kind::list); }
  bool end_object() override {
    keys_.pop_back();
    return close();
  }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    if (!keys_.back().insert(key).second) {
      return fail(
          bad_text(cursor_.line, "", fmt::format("{} stands twice in an object", shown(key))));
    }
    open_.back()->keys.push_back(std::move(key));
    return true;
  }
  bool parse_error(size_t, const std::string&,
                   const nlohmann::detail::exception& problem) override {
    if (error) return false;
    return fail(
        bad_text(cursor_.line, "", fmt::format("expected JSON: {}", reason_of(problem.what()))));
  }

  JsonValue root;
  std::optional<Error> error;

 private:
  bool fail(Error why) {
    if (!error) error = std::move(why);
    return false;
  }

  JsonValue* add(Kind kind) {
    if (++count_ > kJsonValuesMax) {
      fail(make_error(Code::resource_exhausted,
                      fmt::format("has more than {} JSON values", kJsonValuesMax)));
      return nullptr;
    }
    JsonValue* added = &root;
    if (!open_.empty()) added = &open_.back()->items.emplace_back();
    added->kind = kind;
    added->line = cursor_.line;
    return added;
  }

  bool open(Kind kind) {
    if (open_.size() >= static_cast<size_t>(kJsonDepthMax)) {
      return fail(bad_text(cursor_.line, "",
                           fmt::format("expected at most {} levels of JSON", kJsonDepthMax)));
    }
    JsonValue* added = add(kind);
    if (added == nullptr) return false;
    // The parent's list does not grow while its child is open, so the pointer stays.
    open_.push_back(added);
    if (kind == Kind::object) keys_.emplace_back();
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const Cursor& cursor_;
  std::vector<JsonValue*> open_;
  std::vector<std::set<std::string>> keys_;  // of the open objects
  size_t count_ = 0;
};

// Writes the path from `from` to `value`, which is in it.
bool find_path(const JsonValue& from, const JsonValue& value, std::string& path) {
  if (&from == &value) return true;
  for (size_t i = 0; i < from.items.size(); ++i) {
    const size_t length = path.size();
    if (from.is_list()) {
      path += fmt::format("[{}]", i);
    } else {
      const std::string key = shown(from.keys[i]);
      path += (path.empty() ? "" : ".") + key.substr(1, key.size() - 2);
    }
    if (find_path(from.items[i], value, path)) return true;
    path.resize(length);
  }
  return false;
}

std::string_view kind_text(const JsonValue& value) {
  switch (value.kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "a whole number";
    case Kind::real:
      return "a number";
    case Kind::text:
      return "a text";
    case Kind::list:
      return "a list";
    case Kind::object:
      return "an object";
  }
  return "nothing";
}

}  // namespace

std::string expected_kind(std::string_view expected, const JsonValue& found) {
  std::string what(kind_text(found));
  if (found.kind == Kind::integer) what = fmt::format("{}", found.integer);
  if (found.kind == Kind::real) what = fmt::format("{}", found.real);
  if (found.kind == Kind::text) what = shown(found.text);
  return fmt::format("expected {}, found {}", expected, what);
}

const JsonValue* JsonValue::find(std::string_view key) const {
  const auto found = std::find(keys.begin(), keys.end(), key);
  return found == keys.end() ? nullptr : &items[static_cast<size_t>(found - keys.begin())];
}

Result<JsonFile> JsonFile::parse(std::string_view text) {
  Cursor cursor;
  Events events(cursor);
  bool good = false;
  try {
    good = nlohmann::json::sax_parse(CountingIterator(text.data(), &cursor),
                                     CountingIterator(text.data() + text.size(), &cursor), &events);
  } catch (const std::exception& problem) {  // the parser's own, out of memory among them
    return bad_text(cursor.line, "", fmt::format("expected JSON: {}", reason_of(problem.what())));
  }
  if (events.error) return *events.error;
  if (!good) return bad_text(cursor.line, "", "expected JSON");
  JsonFile file;
  file.root_ = std::move(events.root);
  return file;
}

JsonFile JsonFile::of(JsonValue root) {
  JsonFile file;
  file.root_ = std::move(root);
  return file;
}

Error JsonFile::error(const JsonValue& value, std::string_view why) const {
  std::string path;
  find_path(root_, value, path);
  return bad_text(value.line, path, why);
}

Result<std::optional<std::string_view>> JsonFile::text(const JsonValue& object,
                                                       std::string_view key) const {
  const JsonValue* value = object.find(key);
  if (value == nullptr) return std::optional<std::string_view>();
  if (value->kind != Kind::text) return error(*value, expected_kind("a text", *value));
  return std::optional<std::string_view>(value->text);
}

Result<std::optional<int64_t>> JsonFile::integer(const JsonValue& object, std::string_view key,
                                                 int64_t min, int64_t max) const {
  const JsonValue* value = object.find(key);
  if (value == nullptr) return std::optional<int64_t>();
  if (value->kind != Kind::integer || value->integer < min || value->integer > max) {
    return error(*value,
                 expected_kind(fmt::format("a whole number from {} to {}", min, max), *value));
  }
  return std::optional<int64_t>(value->integer);
}

Result<std::optional<double>> JsonFile::real(const JsonValue& object, std::string_view key) const {
  const JsonValue* value = object.find(key);
  if (value == nullptr) return std::optional<double>();
  if (value->kind != Kind::integer && value->kind != Kind::real) {
    return error(*value, expected_kind("a number", *value));
  }
  return std::optional<double>(value->real);
}

Result<std::optional<bool>> JsonFile::boolean(const JsonValue& object, std::string_view key) const {
  const JsonValue* value = object.find(key);
  if (value == nullptr) return std::optional<bool>();
  if (value->kind != Kind::boolean) return error(*value, expected_kind("true or false", *value));
  return std::optional<bool>(value->boolean);
}

Result<const JsonValue*> JsonFile::list(const JsonValue& object, std::string_view key) const {
  const JsonValue* value = object.find(key);
  if (value != nullptr && !value->is_list()) return error(*value, expected_kind("a list", *value));
  return value;
}

Result<const JsonValue*> JsonFile::object(const JsonValue& object, std::string_view key) const {
  const JsonValue* value = object.find(key);
  if (value != nullptr && !value->is_object()) {
    return error(*value, expected_kind("an object", *value));
  }
  return value;
}

Status JsonFile::expect_only(const JsonValue& object,
                             std::span<const std::string_view> keys) const {
  for (size_t i = 0; i < object.keys.size(); ++i) {
    if (std::find(keys.begin(), keys.end(), object.keys[i]) != keys.end()) continue;
    return error(object.items[i],
                 fmt::format("expected one of {}, found another field", fmt::join(keys, ", ")));
  }
  return ok_status();
}

}  // namespace unirack
