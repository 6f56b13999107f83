// Which ranks and which resources a simulation need not tell apart: the coarsest partition in which
// ranks of a class run the same steps with peers of the same classes over resources of the same
// classes, and resources of a class are as fast and carry as much of each class's steps (colour
// refinement, 1-WL). Everything a simulation computes is then equal within a class. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "collectives/simulate/plan_facts.h"

namespace unirack {

struct RankClasses {
  bool is_rough = false;
  std::vector<uint32_t> class_of;  // by rank; numbered by lowest member
  std::vector<Rank> lowest;        // by class
  std::vector<uint32_t> sizes;     // by class
  std::vector<uint32_t> resource_class_of;
  std::vector<uint32_t> first_resource;   // by class of resources
  std::vector<uint32_t> resource_counts;  // by class of resources
};

// Everyone is a class.
RankClasses separate_classes(const PlanFacts& facts);
// Where there are more than `classes_max`, rough ones if they are far fewer than ranks: ranks of a
// class run the same steps over ways that look alike, whoever their peers are.
Result<RankClasses> find_rank_classes(const PlanFacts& facts, uint32_t classes_max);

}  // namespace unirack
