#include "tests/support/mutants.h"

namespace unirack::testing {

Schedule mutate(const Schedule& schedule, Rank rank, size_t lane, size_t step, Mutation mutation) {
  std::vector<Program> programs;
  for (Rank each = 0; each < schedule.header().rank_count; ++each) {
    programs.push_back(schedule.program(each));
  }
  auto& steps = programs[static_cast<size_t>(rank)].lanes[lane].steps;
  const auto at = steps.begin() + static_cast<ptrdiff_t>(step);
  if (mutation == Mutation::deleted) {
    steps.erase(at);
  } else {
    const Step copy = *at;
    steps.insert(at, copy);
  }
  return {schedule.header(), std::move(programs)};
}

void for_each_mutant(const Schedule& schedule,
                     const std::function<void(const Schedule&, const std::string&)>& visit) {
  for (Rank rank = 0; rank < schedule.header().rank_count; ++rank) {
    const Program& program = schedule.program_view(rank);
    for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
      for (size_t step = 0; step < program.lanes[lane].steps.size(); ++step) {
        const std::string where = "rank " + std::to_string(rank) + " lane " + std::to_string(lane) +
                                  " step " + std::to_string(step);
        visit(mutate(schedule, rank, lane, step, Mutation::deleted), where + " deleted");
        visit(mutate(schedule, rank, lane, step, Mutation::doubled), where + " doubled");
      }
    }
  }
}

}  // namespace unirack::testing
