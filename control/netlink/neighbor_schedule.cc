#include "control/netlink/neighbor_schedule.h"

#include <algorithm>

namespace ballast::netlink {

namespace {

// New neighbours beyond this many per second wait, so that a large configuration does not become a
// burst of ARP.
constexpr size_t kFirstTurnsPerSecond = 200;

}  // namespace

bool AskLimit::admit(const NextHop& neighbor, SteadyTime now) {
  if (asked_.size() >= kCapacity || now - swept_ >= kInterval) {
    std::erase_if(asked_, [now](const auto& entry) { return now - entry.second >= kInterval; });
    swept_ = now;
  }
  if (asked_.size() >= kCapacity) {
    return false;
  }
  const auto [entry, fresh] = asked_.try_emplace(neighbor, now);
  if (!fresh && now - entry->second < kInterval) {
    return false;
  }
  entry->second = now;
  return true;
}

void FreshnessSchedule::keep(const std::set<NextHop>& neighbors, SteadyTime now) {
  for (auto turn = turns_.begin(); turn != turns_.end();) {
    if (neighbors.contains(turn->first)) {
      ++turn;
    } else {
      queue_.erase({turn->second, turn->first});
      turn = turns_.erase(turn);
    }
  }
  size_t position = 0;
  for (const auto& neighbor : neighbors) {
    const auto wait = std::min<std::chrono::nanoseconds>(
        std::chrono::seconds(1) * position / kFirstTurnsPerSecond, intervals_.known);
    if (const auto [turn, fresh] = turns_.try_emplace(neighbor, now + wait); fresh) {
      queue_.emplace(turn->second, neighbor);
      ++position;
    }
  }
}

std::vector<NextHop> FreshnessSchedule::take_due(SteadyTime now) {
  std::vector<NextHop> due;
  while (!queue_.empty() && queue_.begin()->first <= now) {
    due.push_back(queue_.begin()->second);
    queue_.erase(queue_.begin());
  }
  return due;
}

void FreshnessSchedule::look_again(const NextHop& neighbor, bool known, SteadyTime now) {
  const auto turn = turns_.find(neighbor);
  if (turn == turns_.end()) {
    return;
  }
  queue_.erase({turn->second, neighbor});
  turn->second = now + (known ? intervals_.known : intervals_.unanswered);
  queue_.emplace(turn->second, neighbor);
}

std::optional<SteadyTime> FreshnessSchedule::next() const {
  return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->first);
}

bool needs_asking(const KernelNeighbor* seen) {
  return seen == nullptr || seen->stale || seen->state != NeighborState::kKnown;
}

}  // namespace ballast::netlink
