#include "control/netlink/neighbor_memory.h"

#include <utility>
#include <vector>

namespace ballast::netlink {

bool NeighborMemory::observe(const NextHop& neighbor, const KernelNeighbor* seen) {
  const auto found = neighbors_.find(neighbor);
  if (seen == nullptr) {
    if (found == neighbors_.end()) {
      return false;
    }
    if (found->second.state == NeighborState::kKnown && kept_.contains(neighbor)) {
      orphans_.insert(neighbor);
      return false;
    }
    neighbors_.erase(found);
    orphans_.erase(neighbor);
    return true;
  }
  orphans_.erase(neighbor);
  if (seen->state == NeighborState::kUnknown && found != neighbors_.end()) {
    return false;
  }
  const RememberedNeighbor now{seen->state == NeighborState::kKnown ? seen->mac : MacAddress(),
                               seen->state};
  if (found != neighbors_.end() && found->second == now) {
    return false;
  }
  neighbors_[neighbor] = now;
  return true;
}

void NeighborMemory::adopt(const NextHop& neighbor, const MacAddress& mac) {
  if (neighbors_.try_emplace(neighbor, RememberedNeighbor{mac, NeighborState::kKnown}).second) {
    orphans_.insert(neighbor);
  }
}

std::set<NextHop> NeighborMemory::follow(const KernelState& state, const KernelChanges& changes,
                                         const std::set<std::string>& links) {
  std::set<NextHop> changed;
  const auto look_at = [&](const std::string& link, const IpAddress& address,
                           const KernelNeighbor* seen) {
    NextHop neighbor{link, address};
    if (observe(neighbor, seen)) {
      changed.insert(std::move(neighbor));
    }
  };
  if (!changes.everything && !changes.links) {
    for (const auto& key : changes.neighbors) {
      const auto* link = state.link(key.link);
      if (link != nullptr && links.contains(link->name)) {
        const auto seen = state.neighbors.find(key);
        look_at(link->name, key.address, seen == state.neighbors.end() ? nullptr : &seen->second);
      }
    }
    return changed;
  }
  // A link may have come, gone or changed its name: compare all that is remembered with all that is
  // there.
  std::vector<NextHop> gone;
  for (const auto& [neighbor, remembered] : neighbors_) {
    const auto* link = state.link_named(neighbor.link);
    if (link == nullptr || !state.neighbors.contains({link->index, neighbor.address})) {
      gone.push_back(neighbor);
    }
  }
  for (const auto& neighbor : gone) {
    look_at(neighbor.link, neighbor.address, nullptr);
  }
  for (const auto& [key, seen] : state.neighbors) {
    if (const auto* link = state.link(key.link); link != nullptr && links.contains(link->name)) {
      look_at(link->name, key.address, &seen);
    }
  }
  return changed;
}

std::set<NextHop> NeighborMemory::keep(std::set<NextHop> neighbors) {
  kept_ = std::move(neighbors);
  std::set<NextHop> forgotten;
  for (auto orphan = orphans_.begin(); orphan != orphans_.end();) {
    if (kept_.contains(*orphan)) {
      ++orphan;
    } else {
      neighbors_.erase(*orphan);
      forgotten.insert(*orphan);
      orphan = orphans_.erase(orphan);
    }
  }
  return forgotten;
}

}  // namespace ballast::netlink
