// The parameters of a family, by name: given or default, read and checked against limits. Borrows
// the text it was made from; used by one generator on one thread.
#pragma once

#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "lib/topology/generate/generate.h"

namespace unirack {

class Parameters {
 public:
  // "KEY=VALUE,..." for the parameters of `family`.
  static Result<Parameters> parse(const FabricFamily& family, std::string_view text);

  Result<uint32_t> count(std::string_view name, uint32_t least, uint32_t most) const;
  // GB/s with up to nine decimals, in bytes/s; 0: not known.
  Result<uint64_t> bandwidth(std::string_view name) const;
  // Up to three decimals, in thousandths.
  Result<uint32_t> thousandths(std::string_view name, uint32_t least, uint32_t most) const;
  // Numbers joined by a separator: "4x4", "72+66".
  Result<std::vector<uint32_t>> counts(std::string_view name, char separator, uint32_t least,
                                       uint32_t most) const;
  bool is_given(std::string_view name) const;

 private:
  std::string_view text(std::string_view name) const { return values_.at(name); }

  std::map<std::string_view, std::string_view> values_;
  std::vector<std::string_view> given_;
};

Result<uint32_t> parse_count(std::string_view text, std::string_view what, uint32_t least,
                             uint32_t most);

}  // namespace unirack
