// Refuses configurations in which a failure that is tracked can never move the addresses.
//
// A weight only lowers a priority, and a priority moves something only if a peer acts on it. That
// needs either preemption, or (without) a fall from at least the peer's priority to below it.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "vrrp/tracking.h"

namespace ballast::vrrp {

struct PriorityRange {
  Priority lowest{};   // everything with a weight is down
  Priority highest{};  // everything is up
};

PriorityRange priority_range(const GroupSettings& group, const std::vector<TrackSettings>& things);

// What this node's configuration alone shows.
tl::expected<void, std::string> check_failover(const GroupSettings& group,
                                               const std::vector<TrackSettings>& things);

// The same against a peer's priority when everything is well there: configured in both nodes'
// files, or heard. For a warning, since the peer may change.
tl::expected<void, std::string> check_failover_to(const GroupSettings& group,
                                                  const std::vector<TrackSettings>& things,
                                                  Priority peer);

}  // namespace ballast::vrrp
