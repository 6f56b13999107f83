// A JSON file in memory with bounds, whose values know their line and their path. Built on the
// event parser of nlohmann-json, since its document keeps no positions.
//
// Owns everything; nothing points into the text. Objects keep the order of their members; a member
// that stands twice is an error. Deeper or larger files than the limits are refused. After parse()
// it may be read from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

inline constexpr int kJsonDepthMax = 100;
inline constexpr size_t kJsonValuesMax = 4'000'000;

struct JsonValue {
  enum class Kind : uint8_t { null, boolean, integer, real, text, list, object };
  Kind kind = Kind::null;
  bool boolean = false;
  uint32_t line = 0;
  int64_t integer = 0;  // beyond 2^63 - 1 it is a real
  double real = 0;      // of an integer too
  std::string text;
  std::vector<JsonValue> items;   // of a list, or the values of an object
  std::vector<std::string> keys;  // of an object, one for each item

  bool is_object() const { return kind == Kind::object; }
  bool is_list() const { return kind == Kind::list; }
  // Null: there is none.
  const JsonValue* find(std::string_view key) const;
};

class JsonFile {
 public:
  static Result<JsonFile> parse(std::string_view text);
  // Of values from another text, such as YAML.
  static JsonFile of(JsonValue root);

  const JsonValue& root() const { return root_; }
  // "line 12, nodes[3].kind: why"; `value` is one of this file's.
  Error error(const JsonValue& value, std::string_view why) const;

  // Members of an object as C++ values. An absent one is no value, and one of another kind or range
  // an error that says what was expected.
  Result<std::optional<std::string_view>> text(const JsonValue& object, std::string_view key) const;
  Result<std::optional<int64_t>> integer(const JsonValue& object, std::string_view key, int64_t min,
                                         int64_t max) const;
  Result<std::optional<double>> real(const JsonValue& object, std::string_view key) const;
  Result<std::optional<bool>> boolean(const JsonValue& object, std::string_view key) const;
  // Null: absent.
  Result<const JsonValue*> list(const JsonValue& object, std::string_view key) const;
  Result<const JsonValue*> object(const JsonValue& object, std::string_view key) const;
  // All members must have one of these names.
  Status expect_only(const JsonValue& object, std::span<const std::string_view> keys) const;

 private:
  JsonValue root_;
};

// What is expected and what was found instead: "expected a text, found a number".
std::string expected_kind(std::string_view expected, const JsonValue& found);

}  // namespace unirack
