#include "lib/topology/formats/xml_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/topology/formats/text_reader.h"

namespace unirack {

Result<XmlFile> XmlFile::parse(std::string_view text) {
  // Counted before parsing: a parsed element takes a hundred times the three bytes of "<a>".
  const auto count = [&](char c) {
    return static_cast<size_t>(std::count(text.begin(), text.end(), c));
  };
  if (count('<') > 2 * kXmlElementsMax || count('=') > 8 * kXmlElementsMax) {
    return make_error(Code::resource_exhausted,
                      fmt::format("has more than {} XML elements", kXmlElementsMax));
  }
  if (!is_utf8(text)) return make_error(Code::invalid_argument, "expected XML in UTF-8");
  XmlFile file(text);
  const pugi::xml_parse_result parsed = file.document_->load_buffer(
      text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) {
    std::string why = parsed.description();
    if (!why.empty()) why.front() = static_cast<char>(why.front() | 0x20);
    return bad_text(line_at(text, static_cast<size_t>(std::max<ptrdiff_t>(parsed.offset, 0))), "",
                    fmt::format("expected XML: {}", why));
  }
  if (!file.root()) return bad_text(1, "", "expected an XML element, found none");
  for (pugi::xml_node other = file.root().next_sibling(); other; other = other.next_sibling()) {
    if (other.type() != pugi::node_element) continue;
    return file.error(other,
                      fmt::format("expected the end of the file after <{}>", file.root().name()));
  }
  UNIRACK_TRY(file.check_elements());
  return file;
}

// XML has no way to write other control characters; the parser takes them all the same.
Status XmlFile::check_attributes(pugi::xml_node element) const {
  for (const pugi::xml_attribute attribute : element.attributes()) {
    const std::string_view value = attribute.value();
    const auto bad = std::find_if(value.begin(), value.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
    });
    if (bad == value.end()) continue;
    return error(element, fmt::format("expected no control character in '{}', found {:#04x}",
                                      attribute.name(), static_cast<unsigned char>(*bad)));
  }
  return ok_status();
}

// Whoever walks the file may recurse afterwards.
Status XmlFile::check_elements() const {
  int depth = 1;
  pugi::xml_node at = root();
  const pugi::xml_node top = at;
  while (at) {
    if (depth > kXmlDepthMax) {
      return error(at, fmt::format("expected at most {} levels of elements", kXmlDepthMax));
    }
    UNIRACK_TRY(check_attributes(at));
    if (at.first_child()) {
      at = at.first_child();
      ++depth;
      continue;
    }
    while (at && at != top && !at.next_sibling()) {
      at = at.parent();
      --depth;
    }
    if (at == top) break;
    at = at.next_sibling();
  }
  return ok_status();
}

size_t XmlFile::line_of(pugi::xml_node element) const {
  const ptrdiff_t offset = element.offset_debug();
  return offset < 0 ? 0 : line_at(text_, static_cast<size_t>(offset));
}

Error XmlFile::error(pugi::xml_node element, std::string_view why) const {
  return bad_text(line_of(element), fmt::format("<{}>", element.name()), why);
}

Result<std::optional<int64_t>> XmlFile::number(pugi::xml_node element, const char* name,
                                               int64_t min, int64_t max) const {
  const std::string_view text = element.attribute(name).value();
  if (text.empty()) return std::optional<int64_t>();
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const auto value = number_from<int64_t>(text, hexadecimal ? 16 : 10);
  if (!value || *value < min || *value > max) {
    return error(element, fmt::format("expected a number from {} to {} in '{}', found {}", min, max,
                                      name, shown(text)));
  }
  return value;
}

Result<int64_t> XmlFile::needed_number(pugi::xml_node element, const char* name, int64_t min,
                                       int64_t max) const {
  const auto value = UNIRACK_TRY(number(element, name, min, max));
  if (!value) {
    return error(element, fmt::format("expected a number from {} to {} in '{}', found none", min,
                                      max, name));
  }
  return *value;
}

Result<std::string_view> XmlFile::needed_text(pugi::xml_node element, const char* name) const {
  const std::string_view text = element.attribute(name).value();
  if (text.empty()) return error(element, fmt::format("expected '{}', found none", name));
  return text;
}

}  // namespace unirack
