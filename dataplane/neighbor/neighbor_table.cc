#include "dataplane/neighbor/neighbor_table.h"

#include <cassert>

namespace ballast {

// Index 0 means "none" and is never given out; its word stays kUnknown.
NeighborTable::NeighborTable(uint32_t capacity)
    : capacity_(capacity),
      words_(std::make_unique<std::atomic<uint64_t>[]>(size_t{capacity} + 1)),
      keys_(size_t{capacity} + 1) {
  free_.reserve(capacity);
  for (uint32_t i = capacity; i > 0; --i) {
    free_.push_back(i);
  }
}

NeighborIndex NeighborTable::intern(PortIndex port, const IpAddress& address) {
  const Key key(port, address);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    return found->second;
  }
  if (free_.empty()) {
    return kNoNeighbor;
  }
  const uint32_t given = free_.back();
  free_.pop_back();
  keys_[given] = key;
  by_key_.emplace(key, NeighborIndex{given});
  return NeighborIndex{given};
}

NeighborIndex NeighborTable::find(PortIndex port, const IpAddress& address) const {
  const auto found = by_key_.find(Key(port, address));
  return found == by_key_.end() ? kNoNeighbor : found->second;
}

void NeighborTable::set(NeighborIndex neighbor, const Neighbor& value) {
  assert(neighbor != kNoNeighbor && index(neighbor) <= capacity_);
  words_[index(neighbor)].store(std::bit_cast<uint64_t>(value), std::memory_order_relaxed);
}

void NeighborTable::release(NeighborIndex neighbor) {
  assert(find(keys_[index(neighbor)].first, keys_[index(neighbor)].second) == neighbor);
  by_key_.erase(keys_[index(neighbor)]);
  keys_[index(neighbor)] = {};
  set(neighbor, {});
  free_.push_back(index(neighbor));
}

}  // namespace ballast
