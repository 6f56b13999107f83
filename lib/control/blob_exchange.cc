#include "lib/control/blob_exchange.h"

namespace unirack {

uint64_t BlobExchange::start(BytesView mine) {
  started_ = true;
  waiting_[static_cast<size_t>(rank_)].emplace_back(index_, Blob(mine.begin(), mine.end()));
  return index_;
}

Status BlobExchange::heard(Rank peer, uint64_t index, BytesView blob) {
  auto& queue = waiting_[static_cast<size_t>(peer)];
  if (index < index_) return ok_status();
  if (queue.size() >= kAheadMax || (!queue.empty() && index <= queue.back().first)) {
    return make_error(Code::corrupted, "expected the blobs of exchanges in order");
  }
  queue.emplace_back(index, Blob(blob.begin(), blob.end()));
  return ok_status();
}

bool BlobExchange::has(Rank peer) const {
  const auto& queue = waiting_[static_cast<size_t>(peer)];
  return !queue.empty() && queue.front().first == index_;
}

std::vector<Rank> BlobExchange::missing() const {
  std::vector<Rank> ranks;
  for (Rank rank = 0; std::cmp_less(rank, waiting_.size()); ++rank) {
    if (!has(rank)) ranks.push_back(rank);
  }
  return ranks;
}

std::vector<BlobExchange::Blob> BlobExchange::finish() {
  std::vector<Blob> blobs;
  for (auto& queue : waiting_) blobs.push_back(std::move(queue.front().second));
  next();
  return blobs;
}

void BlobExchange::give_up() { next(); }

void BlobExchange::next() {
  started_ = false;
  ++index_;
  for (auto& queue : waiting_) {
    while (!queue.empty() && queue.front().first < index_) queue.pop_front();
  }
}

}  // namespace unirack
