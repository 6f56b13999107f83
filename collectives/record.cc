#include "collectives/record.h"

namespace unirack {

std::string describe_request(uint64_t packed, uint64_t count) {
  const auto collective = static_cast<size_t>(packed & 0xff);
  const auto type = static_cast<int>(packed >> 8 & 0xff);
  const auto op = static_cast<int>(packed >> 16 & 0xff);
  if (collective >= kCollectiveCount || type >= kDataTypeCount || op >= kReduceOpCount) {
    return "an unknown operation";
  }
  const auto which = static_cast<Collective>(collective);
  std::string text(collective_name(which));
  if (which == Collective::barrier) return text;
  text += " " + std::string(type_name(static_cast<DataType>(type)));
  if (is_reduction(which)) text += " " + std::string(op_name(static_cast<ReduceOp>(op)));
  if (which != Collective::all_to_all_v) text += " x " + std::to_string(count);
  const bool has_root = which == Collective::reduce || which == Collective::broadcast ||
                        which == Collective::gather || which == Collective::scatter;
  if (has_root) text += " root " + std::to_string(packed >> 32);
  if ((packed >> 24 & 1) != 0) text += " on symmetric memory";
  if ((packed >> 25 & 1) != 0) text += " in place";
  return text;
}

}  // namespace unirack
