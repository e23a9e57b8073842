#include "vrrp/failover_check.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::vrrp {
namespace {

bool has_weights(const std::vector<TrackSettings>& things) {
  return std::ranges::any_of(things, [](const TrackSettings& thing) { return thing.weight != 0; });
}

}  // namespace

PriorityRange priority_range(const GroupSettings& group, const std::vector<TrackSettings>& things) {
  int lowest = index(group.priority);
  int highest = lowest;
  for (const TrackSettings& thing : things) {
    lowest += std::min(thing.weight, 0);
    highest += std::max(thing.weight, 0);
  }
  if (group.priority == kAddressOwner) {
    return {kAddressOwner, kAddressOwner};
  }
  const auto in_range = [](int priority) {
    return Priority{static_cast<uint8_t>(
        std::clamp(priority, int{index(kLowestPriority)}, int{index(kHighestPriority)}))};
  };
  return {in_range(lowest), in_range(highest)};
}

tl::expected<void, std::string> check_failover(const GroupSettings& group,
                                               const std::vector<TrackSettings>& things) {
  if (!has_weights(things)) {
    return {};
  }
  const PriorityRange range = priority_range(group, things);
  if (group.priority == kAddressOwner) {
    return tl::unexpected(std::string(
        "priority: 255: the owner of the addresses always has priority 255, so no weight can ever "
        "move them: use a priority of 1-254, or weight = 0 (FAULT)"));
  }
  if (range.lowest == range.highest) {
    return tl::unexpected(
        fmt::format("weight: the priority is {} whether what is tracked is up or down, so it can "
                    "never move the addresses: use another priority, or weight = 0 (FAULT)",
                    index(range.lowest)));
  }
  return {};
}

tl::expected<void, std::string> check_failover_to(const GroupSettings& group,
                                                  const std::vector<TrackSettings>& things,
                                                  Priority peer) {
  if (auto outcome = check_failover(group, things); !outcome || !has_weights(things)) {
    return outcome;
  }
  const PriorityRange range = priority_range(group, things);
  if (range.lowest >= peer) {
    return tl::unexpected(
        fmt::format("weight: with everything down the priority is {}, still not below the peer's "
                    "{}, so this node never gives the addresses away: lower weights, or weight = 0 "
                    "(FAULT)",
                    index(range.lowest), index(peer)));
  }
  if (!group.preempt && range.highest < peer) {
    return tl::unexpected(fmt::format(
        "weight: the priority is at most {}, below the peer's {}; without preemption the peer acts "
        "only on a fall from at least its own priority, so this node, once active, never gives the "
        "addresses away by a weight: equal priorities, preempt = true, or weight = 0 (FAULT)",
        index(range.highest), index(peer)));
  }
  return {};
}

}  // namespace ballast::vrrp
