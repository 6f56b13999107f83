#include "lib/topology/generate/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "lib/topology/generate/families.h"

namespace unirack {

namespace {

const std::vector<Generator>& all_generators() {
  static const std::vector<Generator> all = [] {
    std::vector<Generator> joined;
    for (const auto& each :
         {nvswitch_generators(), nvl72_generators(), cube_mesh_generators(), instinct_generators(),
          leaf_spine_generators(), grid_generators(), pcie_generators()}) {
      joined.insert(joined.end(), each.begin(), each.end());
    }
    return joined;
  }();
  return all;
}

std::string family_names() {
  std::string names;
  for (const Generator& each : all_generators()) {
    names += (names.empty() ? "" : ", ") + std::string(each.family.name);
  }
  return names;
}

}  // namespace

std::span<const FabricFamily> fabric_families() {
  static const std::vector<FabricFamily> families = [] {
    std::vector<FabricFamily> all;
    for (const Generator& each : all_generators()) all.push_back(each.family);
    return all;
  }();
  return families;
}

std::string families_text() {
  std::string text;
  for (const FabricFamily& family : fabric_families()) {
    text += fmt::format("{:<12} {}\n", family.name, family.what);
    for (const FamilyParameter& each : family.parameters) {
      text +=
          fmt::format("  {:<26} {}\n", fmt::format("{}={}", each.name, each.fallback), each.what);
    }
  }
  return text;
}

Status check_gpu_count(uint64_t count) {
  if (count <= kGeneratedGpusMax) return ok_status();
  return make_error(Code::invalid_argument,
                    fmt::format("{} GPUs: at most {} can be generated", count, kGeneratedGpusMax));
}

Result<Graph> generate(std::string_view spec) {
  const size_t colon = spec.find(':');
  const std::string_view name = spec.substr(0, colon);
  const auto& all = all_generators();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Generator& each) { return each.family.name == name; });
  if (found == all.end()) {
    return make_error(Code::invalid_argument,
                      fmt::format("no fabric is named '{}': expected {}", name, family_names()));
  }
  const std::string_view rest = colon == std::string_view::npos ? "" : spec.substr(colon + 1);
  const Parameters parameters = UNIRACK_TRY(Parameters::parse(found->family, rest));
  return found->make(parameters, spec);
}

}  // namespace unirack
