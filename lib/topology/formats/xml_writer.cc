#include "lib/topology/formats/xml_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace unirack {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool is_name(std::string_view name) {
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

}  // namespace

void XmlWriter::put_attributes() {
  const auto place = [&](const std::string& name) {
    return std::pair(std::find(order_.begin(), order_.end(), name) - order_.begin(), name);
  };
  std::stable_sort(attributes_.begin(), attributes_.end(),
                   [&](const auto& a, const auto& b) { return place(a.first) < place(b.first); });
  for (const auto& [name, value] : attributes_) {
    text_ += fmt::format(" {}=\"", name);
    put_escaped(value);
    text_ += '"';
  }
  attribute_count_max_ = std::max(attribute_count_max_, attributes_.size());
  in_start_tag_ = false;
}

void XmlWriter::open(std::string_view name) {
  if (in_start_tag_) {
    put_attributes();
    text_ += ">\n";
  }
  text_.append(2 * open_.size(), ' ');
  text_ += fmt::format("<{}", name);
  open_.emplace_back(name);
  attributes_.clear();
  in_start_tag_ = true;
  ++element_count_;
}

bool XmlWriter::has(std::string_view name) const {
  return std::any_of(attributes_.begin(), attributes_.end(),
                     [&](const auto& each) { return each.first == name; });
}

void XmlWriter::attribute(std::string_view name, std::string_view value) {
  if (is_name(name)) attributes_.emplace_back(name, value);
}

void XmlWriter::put_escaped(std::string_view value) {
  for (const char c : value) {
    switch (c) {
      case '&':
        text_ += "&amp;";
        break;
      case '<':
        text_ += "&lt;";
        break;
      case '>':
        text_ += "&gt;";
        break;
      case '"':
        text_ += "&quot;";
        break;
      default:
        // XML has no way to write most control characters.
        if (c == '\t' || c == '\n' || c == '\r') {
          text_ += fmt::format("&#{};", static_cast<int>(c));
        } else if (static_cast<unsigned char>(c) >= 0x20) {
          text_ += c;
        }
    }
  }
}

void XmlWriter::close() {
  if (in_start_tag_) {
    put_attributes();
    text_ += "/>\n";
  } else {
    text_.append(2 * (open_.size() - 1), ' ');
    text_ += fmt::format("</{}>\n", open_.back());
  }
  open_.pop_back();
}

}  // namespace unirack
