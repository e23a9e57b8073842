// Which neighbours the dataplane needs in order to reach the real servers. Pure.
#pragma once

#include <map>
#include <set>

#include "control/config/configuration.h"
#include "control/netlink/kernel_state.h"
#include "control/netlink/neighbor_memory.h"

namespace ballast::control {

using EffectiveRoutes = std::map<Prefix, netlink::EffectiveRoute>;

// The route of the longest prefix that contains the address; null when there is none.
const netlink::EffectiveRoute* route_to(const EffectiveRoutes& routes,
                                        const IpAddress& destination);

// The next hops of all servers, every hop of a multipath route included.
std::set<netlink::NextHop> next_hops_of_servers(const Configuration& configuration,
                                                const EffectiveRoutes& routes);

}  // namespace ballast::control
