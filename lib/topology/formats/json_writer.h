// Writes JSON by hand, since files for people have one object a line, which nlohmann-json's writer
// cannot do. Borrows the buffer; no thread promises.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string_view>

namespace unirack {

// In quotes, with what JSON needs escaped; `text` is UTF-8.
void put_json_text(fmt::memory_buffer& out, std::string_view text);

// One object on one line, fields at their default left out.
class JsonObjectWriter {
 public:
  explicit JsonObjectWriter(fmt::memory_buffer& out) : out_(out) { out_.push_back('{'); }

  void text(std::string_view key, std::string_view value, std::string_view otherwise = {}) {
    if (value == otherwise) return;
    put_key(key);
    put_json_text(out_, value);
  }
  void number(std::string_view key, int64_t value, int64_t otherwise) {
    if (value == otherwise) return;
    put_key(key);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  // As short as it is exact.
  void real(std::string_view key, double value, double otherwise) {
    if (value == otherwise) return;
    put_key(key);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void flag(std::string_view key, bool value) {
    if (!value) return;
    put_key(key);
    out_.append(std::string_view("true"));
  }
  // An object of texts; `text_of` gives that of a pair's second.
  template <class Pairs, class TextOf>
  void texts(std::string_view key, const Pairs& pairs, TextOf text_of) {
    if (pairs.empty()) return;
    put_key(key);
    JsonObjectWriter inner(out_);
    for (const auto& [name, value] : pairs) {
      inner.put_key(name);
      put_json_text(out_, text_of(value));
    }
    inner.end();
  }
  void end() { out_.push_back('}'); }

 private:
  void put_key(std::string_view key) {
    if (!first_) out_.append(std::string_view(", "));
    first_ = false;
    put_json_text(out_, key);
    out_.append(std::string_view(": "));
  }

  fmt::memory_buffer& out_;
  bool first_ = true;
};

}  // namespace unirack
