// What changes in the kernel, told to the link: ports, routes, neighbours, groups.
#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "control/daemon/kernel_part.h"
#include "control/dataplane_link/resources.h"

namespace ballast::control {

void KernelPart::on_change(const netlink::KernelChanges& changes) {
  interfaces_->on_change(changes);
  if (changes.everything || changes.links || changes.addresses || !changes.routes.empty()) {
    callbacks_.on_change();
  }
  if (twins_.empty()) {
    return;  // nobody knows yet which interfaces matter
  }
  const bool began = changes.everything;
  if (began || changes.links || changes.addresses) {
    update_ports();
    join_groups();
  }
  if (began || changes.links || !changes.routes.empty()) {
    update_routes(changes);
    follow_next_hops();
  }
  update_neighbors(neighbors_.follow(mirror_->state(), changes, twins_));
  if (began) {
    callbacks_.on_complete();
  }
}

std::set<IpAddress> KernelPart::dataplane_addresses() const {
  std::set<IpAddress> addresses;
  for (const HeldAddress& held : held_addresses(configuration_)) {
    addresses.insert(held.address);
  }
  return addresses;
}

void KernelPart::update_ports() {
  const std::set<IpAddress> held = dataplane_addresses();
  for (const ballast::api::PortInfo& port : link_.hello()->ports()) {
    link_.update(port_resource(port.name(), port.kernel_interface(), mirror_->state(), held));
  }
}

void KernelPart::update_routes(const netlink::KernelChanges& changes) {
  if (!changes.everything && !changes.links) {
    for (const Prefix& prefix : changes.routes) {
      set_route(prefix, netlink::effective_route(mirror_->state(), twins_, prefix));
    }
    return;
  }
  // Any link may have changed, most of them concern no route: only what differs is said.
  const EffectiveRoutes now = netlink::effective_routes(mirror_->state(), twins_);
  std::vector<Prefix> gone;
  for (const auto& [prefix, route] : routes_) {
    if (now.count(prefix) == 0) {
      gone.push_back(prefix);
    }
  }
  for (const Prefix& prefix : gone) {
    set_route(prefix, std::nullopt);
  }
  for (const auto& [prefix, route] : now) {
    set_route(prefix, route);
  }
}

void KernelPart::set_route(const Prefix& prefix, std::optional<netlink::EffectiveRoute> route) {
  if (route) {
    // An IPv4 route over an IPv6 gateway (RFC 8950) is not known to the dataplane.
    const auto foreign = [&prefix](const netlink::RouteHop& hop) {
      return hop.gateway && hop.gateway->family() != prefix.address.family();
    };
    const size_t before = route->hops.size();
    route->hops.erase(std::remove_if(route->hops.begin(), route->hops.end(), foreign),
                      route->hops.end());
    if (before != 0 && route->hops.empty()) {
      route.reset();
    }
  }
  const auto known = routes_.find(prefix);
  if (!route) {
    if (known != routes_.end()) {
      routes_.erase(known);
      link_.remove("route/" + prefix.to_string());
    }
  } else if (known == routes_.end() || known->second != *route) {
    link_.update(route_resource(prefix, *route));
    routes_[prefix] = std::move(*route);
  }
}

bool KernelPart::is_wanted(const netlink::NextHop& next_hop) const {
  return server_hops_.count(next_hop) != 0 || needed_hops_.count(next_hop) != 0;
}

// The next hops of the servers are kept fresh; those that the dataplane asked for are remembered
// with them.
void KernelPart::follow_next_hops() {
  const std::set<netlink::NextHop> before =
      std::exchange(server_hops_, next_hops_of_servers(configuration_, routes_));
  resolver_->keep_fresh(server_hops_);
  std::set<netlink::NextHop> kept = server_hops_;
  kept.insert(needed_hops_.begin(), needed_hops_.end());
  std::set<netlink::NextHop> changed = neighbors_.keep(kept);
  changed.insert(kept.begin(), kept.end());
  changed.insert(before.begin(), before.end());
  update_neighbors(changed);
}

void KernelPart::update_neighbors(const std::set<netlink::NextHop>& changed) {
  for (const netlink::NextHop& next_hop : changed) {
    const auto found = neighbors_.neighbors().find(next_hop);
    if (found != neighbors_.neighbors().end() && is_wanted(next_hop)) {
      link_.update(neighbor_resource(next_hop, found->second));
    } else {
      link_.remove(neighbor_resource_key(next_hop));
    }
  }
}

// Of the IPv6 addresses that the dataplane answers for, on every twin that is there.
void KernelPart::join_groups() {
  std::set<IpAddress> groups;
  for (const HeldAddress& held : held_addresses(configuration_)) {
    if (held.address.is_v6()) {
      groups.insert(solicited_node_group(held.address));
    }
  }
  std::set<int> links;
  for (const std::string& twin : twins_) {
    if (const netlink::Link* link = mirror_->state().link_named(twin)) {
      links.insert(link->index);
    }
  }
  for (const std::string& problem : groups_.set(links, groups)) {
    spdlog::warn("{}", problem);
  }
}

}  // namespace ballast::control
