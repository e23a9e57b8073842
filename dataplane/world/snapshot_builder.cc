#include "dataplane/world/snapshot_builder.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "dataplane/world/next_hop.h"

namespace ballast {

SnapshotBuilder::SnapshotBuilder(std::vector<PortState> ports, NeighborTable& neighbors,
                                 const WorldLimits& limits)
    : limits_(limits), ports_(std::move(ports)), neighbors_(neighbors) {
  refresh_own_macs({});
}

// ---------------------------------------------------------------- looking ahead

namespace {

void count_gateways(const Route* route, int64_t times, ClientHopSet::GatewayChanges& gateways) {
  if (route == nullptr) {
    return;
  }
  for (const RouteHop& hop : route->hops) {
    if (hop.gateway) {
      gateways[{hop.port, *hop.gateway}] += times;
    }
  }
}

}  // namespace

SnapshotBuilder::Plan SnapshotBuilder::plan(const DesiredState& before, const ChangeSet& changes,
                                            const RouteTable& routes, RefusalList& refusals) const {
  Plan plan;
  for (const auto& [prefix, route] : changes.routes) {
    registry_.visit_addresses(prefix, [&](const IpAddress& address) {
      if (const auto [place, is_new] = plan.next_hops.try_emplace(address); is_new) {
        place->second = resolve_next_hop(routes, address);
      }
    });
    count_gateways(before.routes()->at(prefix), -1, plan.gateways);
    count_gateways(route ? &*route : nullptr, 1, plan.gateways);
  }
  std::erase_if(plan.gateways, [](const auto& change) { return change.second == 0; });
  for (const auto& [name, service] : changes.services) {
    const auto former = before.services().find(name);
    plan.listeners_changed |= !service || former == before.services().end() ||
                              former->second->listeners != (*service)->listeners;
    plan.modes_changed |=
        service && former != before.services().end() && former->second->mode != (*service)->mode;
    if (!service) {
      continue;
    }
    for (const ServerSpecification& server : (*service)->servers) {
      // A known address was resolved before, and again just now if its route changed.
      if (registry_.find_address(server.address) == kNoServer) {
        plan.next_hops.try_emplace(server.address, resolve_next_hop(routes, server.address));
      }
    }
  }
  check_indexes(changes, refusals);
  check_neighbor_indexes(changes, plan, refusals);
  check_local_address_indexes(changes, refusals);
  return plan;
}

void SnapshotBuilder::check_indexes(const ChangeSet& changes, RefusalList& refusals) const {
  size_t services = slots_.used();
  size_t servers = registry_.used();
  for (const auto& [name, service] : changes.services) {
    const auto slot = slots_.find(name);
    services += service && !slot ? 1 : 0;
    if (!service) {
      continue;
    }
    for (const ServerSpecification& server : (*service)->servers) {
      const bool known =
          slot && registry_.find(*slot, server.address, server.port, (*service)->mode) != kNoServer;
      servers += known ? 0 : 1;
    }
  }
  if (services > limits_.max_services) {
    refusals.add("transaction",
                 fmt::format("{} services are needed, {} are possible: {} removed ones still have "
                             "connections",
                             services, limits_.max_services, slots_.retired().size()));
  }
  if (servers > limits_.max_servers) {
    refusals.add("transaction",
                 fmt::format("{} servers are needed, {} are possible: {} removed ones still have "
                             "connections",
                             servers, limits_.max_servers, registry_.removed().size()));
  }
}

void SnapshotBuilder::check_neighbor_indexes(const ChangeSet& changes, const Plan& plan,
                                             RefusalList& refusals) const {
  std::set<NeighborTable::Key> more;
  const NeighborTable& table = neighbors_.table();
  const auto count = [&](const NeighborTable::Key& key) {
    if (table.find(key.first, key.second) == kNoNeighbor) {
      more.insert(key);
    }
  };
  for (const auto& [address, key] : plan.next_hops) {
    if (key) {
      count(*key);
    }
  }
  for (const auto& [key, difference] : plan.gateways) {
    if (difference > 0) {
      count(key);
    }
  }
  for (const auto& [key, neighbor] : changes.neighbors) {
    if (neighbor) {
      count(key);
    }
  }
  if (more.size() > table.capacity() - table.size()) {
    refusals.add("transaction",
                 fmt::format("{} more neighbors are needed, and {} of {} are in use: raise the "
                             "dataplane's neighbor table",
                             more.size(), table.size(), table.capacity()));
  }
}

void SnapshotBuilder::check_local_address_indexes(const ChangeSet& changes,
                                                  RefusalList& refusals) const {
  std::set<IpAddress> more;
  for (const auto& [name, service] : changes.services) {
    if (service) {
      for (const IpAddress& address : (*service)->local_addresses) {
        if (!local_addresses_.contains(address)) {
          more.insert(address);
        }
      }
    }
  }
  if (local_addresses_.size() + more.size() > limits_.max_local_addresses) {
    refusals.add("transaction",
                 fmt::format("{} more local addresses are needed, and {} of {} have been in use "
                             "since the start: each is remembered until the dataplane restarts",
                             more.size(), local_addresses_.size(), limits_.max_local_addresses));
  }
}

// ---------------------------------------------------------------- making the changes

void SnapshotBuilder::apply(const DesiredState& after, const ChangeSet& changes, const Plan& plan) {
  const std::vector<PortIndex> moved_ports = refresh_port_addresses(after, changes);
  for (const auto& [name, service] : changes.services) {
    if (service) {
      apply_service(**service);
    } else {
      remove_service(name);
    }
  }
  apply_next_hops(plan.next_hops);
  for (const PortIndex port : moved_ports) {
    refresh_paths_over(port);
  }
  client_hops_.change_gateways(plan.gateways);
  const bool identity_changed = !changes.vips.empty() || !changes.ports.empty();
  if (identity_changed) {
    refresh_own_macs(after);
  }
  if (identity_changed || plan.listeners_changed || plan.modes_changed) {
    refresh_addresses(after);
  }
  if (plan.listeners_changed) {
    refresh_listeners(after);
  }
  if (plan.listeners_changed || plan.modes_changed) {
    refresh_steering(after);
  }
  apply_neighbors(after, changes);
  if (identity_changed || !plan.next_hops.empty() || !plan.gateways.empty()) {
    refresh_neighbors(after);
  }
}

void SnapshotBuilder::apply_service(const ServiceSpecification& service) {
  const ServiceSlot slot = slots_.acquire(service.name);
  std::set<ServerIndex> named;
  for (const ServerSpecification& wanted : service.servers) {
    named.insert(named.end(), apply_server(slot, service.mode, wanted));
  }
  set_paths(named, service);
  registry_.visit_service(slot, [&](ServerIndex server) {
    if (registry_.at(server).state == ServerRegistry::State::kLive && !named.contains(server)) {
      registry_.remove(server);
      servers_[index(server)].accepts_connections = false;
    }
  });
  slots_.build(slot, service, registry_, local_addresses_);
  attach_servers(slot);
}

ServerIndex SnapshotBuilder::apply_server(ServiceSlot slot, ForwardingMode mode,
                                          const ServerSpecification& wanted) {
  const ServerIndex known = registry_.find_address(wanted.address);
  const auto [server, is_new] = registry_.add(slot, wanted.address, wanted.port, mode);
  servers_.resize(std::max<size_t>(servers_.size(), registry_.end()));
  paths_.resize(servers_.size());
  RealServer& real = servers_[index(server)];
  if (is_new) {
    real = {};
    real.address = wanted.address;
    real.port = wanted.port;
    real.mode = mode;
    reply_sources_changed_ |= mode == ForwardingMode::kNat;
    if (known != kNoServer && servers_[index(known)].next_hop != kNoNeighbor) {
      set_next_hop(server, neighbors_.table().key_of(servers_[index(known)].next_hop));
    }
  }
  real.accepts_connections = wanted.override_in_force != api::DISABLED;
  return server;
}

void SnapshotBuilder::remove_service(const std::string& name) {
  const auto slot = slots_.find(name);
  if (!slot) {
    return;
  }
  registry_.visit_service(*slot, [&](ServerIndex server) {
    if (registry_.at(server).state == ServerRegistry::State::kLive) {
      registry_.remove(server);
      servers_[index(server)].accepts_connections = false;
    }
  });
  slots_.retire(*slot);
  attach_servers(*slot);
}

// The object may have been replaced: all its servers point to the one of this snapshot.
void SnapshotBuilder::attach_servers(ServiceSlot slot) {
  const VirtualService* object = &slots_.object(slot);
  registry_.visit_service(slot,
                          [&](ServerIndex server) { servers_[index(server)].service = object; });
}

void SnapshotBuilder::apply_next_hops(const NextHops& next_hops) {
  for (const auto& next_hop : next_hops) {
    registry_.visit_address(next_hop.first,
                            [&](ServerIndex server) { set_next_hop(server, next_hop.second); });
  }
}

void SnapshotBuilder::set_next_hop(ServerIndex server,
                                   const std::optional<NeighborTable::Key>& key) {
  RealServer& real = servers_[index(server)];
  const NeighborIndex former = real.next_hop;
  real.next_hop = key ? neighbors_.acquire(*key) : kNoNeighbor;
  real.out_port = key ? key->first : PortIndex{};
  neighbors_.drop(former);  // after acquire: an unchanged one is never without a reference
  refresh_path(server);
}

void SnapshotBuilder::apply_neighbors(const DesiredState& after, const ChangeSet& changes) {
  for (const auto& [key, change] : changes.neighbors) {
    if (change) {
      refresh_neighbor(after, neighbors_.name(key));
    } else {
      const NeighborIndex neighbor = neighbors_.table().find(key.first, key.second);
      neighbors_.unname(key);
      refresh_neighbor(after, neighbor);
    }
  }
}

}  // namespace ballast
