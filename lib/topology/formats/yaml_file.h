// A YAML file as the values of json_file.h, with lines and bounds, since YAML's own tree has none:
// aliases are copied and count against the limits, so that a small file cannot grow large. All
// scalars are texts. Pure; callable from any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "lib/topology/formats/json_file.h"

namespace unirack {

inline constexpr size_t kYamlBytesMax = size_t{16} << 20;
inline constexpr size_t kYamlValuesMax = 1'000'000;

// The first document of the file.
Result<JsonFile> parse_yaml(std::string_view text);

}  // namespace unirack
