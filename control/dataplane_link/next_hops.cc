#include "control/dataplane_link/next_hops.h"

namespace ballast::control {

const netlink::EffectiveRoute* route_to(const EffectiveRoutes& routes,
                                        const IpAddress& destination) {
  const int longest = destination.is_v4() ? 32 : 128;
  for (int length = longest; length >= 0; --length) {
    const auto found = routes.find(Prefix::containing(destination, static_cast<uint8_t>(length)));
    if (found != routes.end()) {
      return &found->second;
    }
  }
  return nullptr;
}

std::set<netlink::NextHop> next_hops_of_servers(const Configuration& configuration,
                                                const EffectiveRoutes& routes) {
  std::set<netlink::NextHop> next_hops;
  for (const ServiceSettings& service : configuration.services) {
    for (const ServerSettings& server : service.servers) {
      const netlink::EffectiveRoute* route = route_to(routes, server.key.address);
      if (route == nullptr) {
        continue;
      }
      for (const netlink::RouteHop& hop : route->hops) {
        next_hops.insert({hop.link, hop.gateway.value_or(server.key.address)});
      }
    }
  }
  return next_hops;
}

}  // namespace ballast::control
