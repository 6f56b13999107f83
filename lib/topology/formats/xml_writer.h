// Writes XML element by element, indented, attributes escaped. An element's attributes are given
// before its children, in any order: the text has them in one order of names, others after these by
// name. Not thread-safe; owned by whoever writes a file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unirack {

class XmlWriter {
 public:
  // The names' text must outlive the writer.
  explicit XmlWriter(std::vector<std::string_view> order) : order_(std::move(order)) {}

  void open(std::string_view name);
  // Of the element that was opened last; a name that XML cannot hold is left out.
  void attribute(std::string_view name, std::string_view value);
  // Whether the element that was opened last has it.
  bool has(std::string_view name) const;
  void close();

  size_t element_count() const { return element_count_; }
  size_t attribute_count_max() const { return attribute_count_max_; }  // of one element
  std::string text() && { return std::move(text_); }

 private:
  void put_attributes();
  void put_escaped(std::string_view value);

  std::vector<std::string_view> order_;
  std::string text_;
  std::vector<std::string> open_;
  std::vector<std::pair<std::string, std::string>> attributes_;  // of the open start tag
  bool in_start_tag_ = false;
  size_t element_count_ = 0;
  size_t attribute_count_max_ = 0;
};

}  // namespace unirack
