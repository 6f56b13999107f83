// An XML file in memory with bounds, whose elements know their line. Built on pugixml.
//
// Owns its document; does not own the text, which must outlive it. Files nested deeper or of more
// elements than the limits are refused before memory is spent on them. After parse() it may be read
// from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <pugixml.hpp>
#include <string_view>

#include "lib/base/result.h"

namespace unirack {

inline constexpr int kXmlDepthMax = 100;
inline constexpr size_t kXmlElementsMax = 2'000'000;

class XmlFile {
 public:
  // One document element, well-formed, in UTF-8.
  static Result<XmlFile> parse(std::string_view text);

  pugi::xml_node root() const { return document_->document_element(); }
  size_t line_of(pugi::xml_node element) const;
  // "line 12, <gpu>: why"
  Error error(pugi::xml_node element, std::string_view why) const;

  // The attribute as a whole number, in base 16 where it begins with 0x. An absent or empty one is
  // no value.
  Result<std::optional<int64_t>> number(pugi::xml_node element, const char* name, int64_t min,
                                        int64_t max) const;
  // The same where the attribute must be there.
  Result<int64_t> needed_number(pugi::xml_node element, const char* name, int64_t min,
                                int64_t max) const;
  // The attribute, which must be there and not be empty.
  Result<std::string_view> needed_text(pugi::xml_node element, const char* name) const;

 private:
  explicit XmlFile(std::string_view text) : text_(text) {}

  Status check_elements() const;
  Status check_attributes(pugi::xml_node element) const;

  std::string_view text_;
  std::unique_ptr<pugi::xml_document> document_ = std::make_unique<pugi::xml_document>();
};

}  // namespace unirack
