#include "dataplane/world/neighbor_references.h"

#include <cassert>

namespace ballast {

NeighborIndex NeighborReferences::acquire(const NeighborTable::Key& key) {
  const NeighborIndex neighbor = table_.intern(key.first, key.second);
  if (neighbor == kNoNeighbor) {
    return kNoNeighbor;
  }
  if (references_[index(neighbor)]++ == 0) {
    referenced_.insert(neighbor);
    unreferenced_.erase(neighbor);
  }
  return neighbor;
}

void NeighborReferences::drop(NeighborIndex neighbor) {
  if (neighbor == kNoNeighbor) {
    return;
  }
  assert(references_[index(neighbor)] > 0);
  if (--references_[index(neighbor)] == 0) {
    referenced_.erase(neighbor);
    unreferenced_.insert(neighbor);
  }
}

NeighborIndex NeighborReferences::name(const NeighborTable::Key& key) {
  const NeighborIndex present = table_.find(key.first, key.second);
  if (present != kNoNeighbor && named_.contains(present)) {
    return present;
  }
  const NeighborIndex neighbor = acquire(key);
  if (neighbor != kNoNeighbor) {
    named_.insert(neighbor);
  }
  return neighbor;
}

void NeighborReferences::unname(const NeighborTable::Key& key) {
  const NeighborIndex neighbor = table_.find(key.first, key.second);
  if (named_.erase(neighbor) != 0) {
    drop(neighbor);
  }
}

void NeighborReferences::visit(const std::function<void(NeighborIndex)>& visitor) const {
  for (const NeighborIndex neighbor : referenced_) {
    visitor(neighbor);
  }
}

void NeighborReferences::reclaim() {
  for (const NeighborIndex neighbor : unreferenced_) {
    table_.release(neighbor);
  }
  unreferenced_.clear();
}

}  // namespace ballast
