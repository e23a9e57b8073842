// The neighbour that packets to an address are sent to.
#pragma once

#include <optional>

#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/neighbor/route_table.h"

namespace ballast {

// The gateway of the route's hop, or the address itself where the hop has none; nothing without a
// route. Among several hops the address chooses, the same way at every start.
std::optional<NeighborTable::Key> resolve_next_hop(const RouteTable& routes,
                                                   const IpAddress& address);

}  // namespace ballast
