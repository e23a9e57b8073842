// The order in which a scheduler looks at its servers: by address, then port, never that of the
// configuration, so that two nodes with the same servers decide alike.
#pragma once

#include <algorithm>
#include <span>
#include <tuple>
#include <vector>

#include "dataplane/scheduler/scheduler.h"

namespace ballast {

inline std::vector<SchedulableServer> in_canonical_order(
    std::span<const SchedulableServer> servers) {
  std::vector<SchedulableServer> ordered(servers.begin(), servers.end());
  std::sort(ordered.begin(), ordered.end(),
            [](const SchedulableServer& a, const SchedulableServer& b) {
              return std::tie(a.address, a.port) < std::tie(b.address, b.port);
            });
  return ordered;
}

}  // namespace ballast
