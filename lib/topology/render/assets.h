// The texts of lib/topology/render/page/, compiled in so that the tool is one file. Generated at
// build time by cmake/UnirackEmbed.cmake.
#pragma once

#include <string_view>

namespace unirack::assets {

extern const std::string_view kPictureStyle;  // picture.css
extern const std::string_view kPageStyle;     // page.css
extern const std::string_view kPage;          // page.html
extern const std::string_view kPageScript;    // page.js

}  // namespace unirack::assets
