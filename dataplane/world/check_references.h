// Whether a change fits the state that it is made over: what one resource says of another, and the
// limits of all together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/world/change_set.h"
#include "dataplane/world/desired_state.h"
#include "dataplane/world/refusal_list.h"

namespace ballast {

// Most that a dataplane takes: its tables are sized by them at start.
struct WorldLimits {
  uint32_t max_services = 65536;
  uint32_t max_listeners = 1'000'000;
  uint32_t max_servers = 1'000'000;
  uint32_t max_vips = 65536;
  uint32_t max_neighbors = 65536;  // that transactions name; never more than the NeighborTable has
  uint32_t max_routes = 2'000'000;
  // That services have ever named since the start: each keeps its index.
  uint32_t max_local_addresses = 65535;
};

void check_references(const DesiredState& base, const ChangeSet& changes,
                      const std::vector<std::string>& port_names, RefusalList& refusals);

// `routes` is the number of routes with the changes made.
void check_limits(const DesiredState& base, const ChangeSet& changes, size_t routes,
                  const WorldLimits& limits, RefusalList& refusals);

}  // namespace ballast
