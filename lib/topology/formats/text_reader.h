// The pieces that all readers of text share: lines, words, numbers, and errors that say where.
//
// Nothing here owns text: what is returned points into the caller's, which must outlive it. Pure;
// callable from any thread. Numbers are whole texts within their type: no sign where there is none,
// no blanks, no overflow.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

// "line 12, <gpu>: expected a number in 'dev', found 'x'". An empty element and line 0 are left
// out.
Error bad_text(size_t line, std::string_view element, std::string_view why);

// As errors show what a file says: in quotes, at most 60 bytes, unprintable ones as \x1b.
std::string shown(std::string_view text);

// Whether it is UTF-8 throughout, so that it can be written to any of the formats.
bool is_utf8(std::string_view text);

// Lines from the first to the last, without their ends ("\n" or "\r\n").
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  // Empty: there is no more.
  std::optional<std::string_view> next();
  // Of the line that next() gave last; the first is 1.
  size_t number() const { return number_; }
  // What follows the line that next() gave last.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  size_t number_ = 0;
};

// The line that holds text[offset]; the first is 1.
size_t line_at(std::string_view text, size_t offset);

// Without blanks at both ends.
std::string_view trimmed(std::string_view text);
// What stands between blanks.
std::vector<std::string_view> words_of(std::string_view text);
// What stands between separators, empty parts too.
std::vector<std::string_view> split(std::string_view text, char separator);

// The whole text; in base 16 with or without "0x".
template <std::integral T>
std::optional<T> number_from(std::string_view text, int base = 10) {
  if (base == 16 && (text.starts_with("0x") || text.starts_with("0X"))) text.remove_prefix(2);
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value, base);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return value;
}

// The whole text, finite.
std::optional<double> real_from(std::string_view text);

}  // namespace unirack
