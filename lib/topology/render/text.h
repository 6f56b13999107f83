// Words and numbers as people read them, shared by all renderers: speeds, folded names, escapes.
// Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

// "900 GB/s", "31.5 GB/s", "512 MB/s"; "?" for 0.
std::string speed_text(uint64_t bytes_per_s);

// "18 x 50 GB/s" of one direction, "50 GB/s" where there is one link, "?" where it is not known.
std::string link_text(const Link& link);

// "NVLink", "InfiniBand".
std::string_view display_name(LinkKind kind);
// "GPU", "NIC"; "GPUs", "NICs" for another number than one.
std::string_view display_name(NodeKind kind, size_t count = 1);

// "1 rack", "8 racks", "1,152 GPUs".
std::string count_text(size_t count, std::string_view one, std::string_view many);
// 1152 -> "1,152".
std::string grouped(uint64_t value);

// What stands after the last '/': "gpu0" of "rack1/tray3/gpu0".
std::string_view short_name(std::string_view name);

// {"gpu0", "gpu1", "gpu2"} -> "gpu0-2"; {"mlx5_0", "mlx5_1", "mlx5_4"} -> "mlx5_0,1,4". Empty when
// the names differ in more than one number.
std::string fold_names(std::span<const std::string> names);

// How many bytes at the front all names share, ending after a separator or before a digit, so that
// what is left of each still begins with a word or a number. 0 for fewer than two names.
size_t common_prefix(std::span<const std::string_view> names);

// The shortest end of each name, as long in words and numbers for all, by which they differ:
// "01-03" of "A09-LEAF-01-03". The whole names where they do not differ.
std::vector<std::string_view> distinct_tails(std::span<const std::string_view> names);

// As content or attribute of XML and HTML; bytes that XML forbids become '?'.
std::string xml_escaped(std::string_view text);

// At most `width` characters, the middle replaced by an ellipsis. ASCII and UTF-8 alike.
std::string shortened(std::string_view text, size_t width);

// How many characters a UTF-8 text has.
size_t character_count(std::string_view text);

}  // namespace unirack
