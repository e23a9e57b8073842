#include "dataplane/world/world.h"

#include <utility>

#include "dataplane/world/change_set.h"
#include "dataplane/world/refusal_list.h"

namespace ballast {
namespace {

std::vector<PortState> states_of(const std::vector<WorldPort>& ports) {
  std::vector<PortState> states;
  states.reserve(ports.size());
  for (const WorldPort& port : ports) {
    states.push_back({port.mac, port.mtu, port.up, {}, {}});
  }
  return states;
}

ValidationContext context_of(const std::vector<WorldPort>& ports, std::set<ForwardingMode> modes) {
  ValidationContext context{{}, std::move(modes)};
  for (const WorldPort& port : ports) {
    context.port_names.push_back(port.name);
  }
  return context;
}

// The same table when no route changes.
std::shared_ptr<const RouteTable> with_changes(const std::shared_ptr<const RouteTable>& routes,
                                               const Changes<Prefix, Route>& changes) {
  if (changes.empty()) {
    return routes;
  }
  RouteTable result = *routes;
  for (const auto& [prefix, route] : changes) {
    result = route ? result.with(*route) : result.without(prefix);
  }
  return std::make_shared<const RouteTable>(std::move(result));
}

}  // namespace

World::World(const std::vector<WorldPort>& ports, NeighborTable& neighbors,
             std::set<ForwardingMode> modes, const WorldLimits& limits)
    : context_(context_of(ports, std::move(modes))),
      limits_(limits),
      builder_(states_of(ports), neighbors, limits),
      snapshot_(builder_.build(desired_, nullptr)) {}

World::Outcome World::apply(const api::Transaction& transaction) {
  RefusalList refusals;
  const ChangeSet changes = read_changes(transaction, context_, desired_, refusals);
  check_references(desired_, changes, context_.port_names, refusals);
  if (!refusals.empty()) {
    return {nullptr, refusals.take()};
  }
  const std::shared_ptr<const RouteTable> routes = with_changes(desired_.routes(), changes.routes);
  check_limits(desired_, changes, routes->size(), limits_, refusals);
  const SnapshotBuilder::Plan plan = builder_.plan(desired_, changes, *routes, refusals);
  if (!refusals.empty()) {
    return {nullptr, refusals.take()};
  }
  desired_.commit(changes, routes);
  builder_.apply(desired_, changes, plan);
  snapshot_ = builder_.build(desired_, snapshot_.get());
  return {snapshot_, {}};
}

std::shared_ptr<const ForwardingSnapshot> World::port_changed(PortIndex port,
                                                              const PortState& state) {
  if (index(port) >= context_.port_names.size() || !builder_.set_port(desired_, port, state)) {
    return nullptr;
  }
  snapshot_ = builder_.build(desired_, snapshot_.get());
  return snapshot_;
}

std::shared_ptr<const ForwardingSnapshot> World::need_client_hop(PortIndex port,
                                                                 const IpAddress& address,
                                                                 ClientHopSet::Time now) {
  const NeighborTable::Key hop(port, address);
  return need_client_hops({&hop, 1}, now);
}

std::shared_ptr<const ForwardingSnapshot> World::need_client_hops(
    std::span<const NeighborTable::Key> hops, ClientHopSet::Time now) {
  bool any = false;
  for (const NeighborTable::Key& hop : hops) {
    const bool possible =
        index(hop.first) < context_.port_names.size() && why_not_unicast(hop.second) == nullptr;
    any |= possible && builder_.need_client_hop(desired_, hop, now);
  }
  if (!any) {
    return nullptr;
  }
  snapshot_ = builder_.build(desired_, snapshot_.get());
  return snapshot_;
}

std::shared_ptr<const ForwardingSnapshot> World::expire_client_hops(ClientHopSet::Time now) {
  if (!builder_.expire_client_hops(now)) {
    return nullptr;
  }
  snapshot_ = builder_.build(desired_, snapshot_.get());
  return snapshot_;
}

std::shared_ptr<const ForwardingSnapshot> World::settle_owners() {
  if (!builder_.has_reclaimed_owners()) {
    return nullptr;
  }
  snapshot_ = builder_.build(desired_, snapshot_.get());
  return snapshot_;
}

std::optional<ServerDescription> World::describe(ServerIndex server) const {
  const ServerRegistry& registry = builder_.registry();
  if (index(server) >= registry.end()) {
    return std::nullopt;
  }
  const ServerRegistry::Entry& entry = registry.at(server);
  if (entry.state == ServerRegistry::State::kFree) {
    return std::nullopt;
  }
  return ServerDescription{builder_.slots().object(entry.service).name, entry.address, entry.port,
                           entry.mode, entry.state == ServerRegistry::State::kRemoved};
}

std::vector<ServerIndex> World::servers() const {
  std::vector<ServerIndex> result;
  const ServerRegistry& registry = builder_.registry();
  for (uint32_t number = 1; number < registry.end(); ++number) {
    if (registry.at(ServerIndex{number}).state != ServerRegistry::State::kFree) {
      result.push_back(ServerIndex{number});
    }
  }
  return result;
}

}  // namespace ballast
