#include "control/netlink/state_builder.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace ballast::netlink {

namespace {

// The routes of one key after one more came.
std::vector<KernelRoute> with_route(std::vector<KernelRoute> routes, const KernelRoute& route,
                                    const RouteKey& key, const KernelMessage& how) {
  // IPv6 has one route per key, and announces it whole.
  if (key.prefix.address.is_v6()) {
    return {route};
  }
  if (how.replaces && !routes.empty()) {
    routes.front() = route;
  } else if (std::find(routes.begin(), routes.end(), route) == routes.end()) {
    routes.insert(how.appends ? routes.end() : routes.begin(), route);
  }
  return routes;
}

// The hops of `route` that `gone` does not name. The weight plays no part: the kernel does not
// always repeat it.
std::vector<KernelHop> hops_left(const KernelRoute& route, const KernelRoute& gone) {
  std::vector<KernelHop> left;
  for (const auto& hop : route.hops) {
    const auto same = [&hop](const KernelHop& other) {
      return other.link == hop.link && other.gateway == hop.gateway;
    };
    if (std::none_of(gone.hops.begin(), gone.hops.end(), same)) {
      left.push_back(hop);
    }
  }
  return left;
}

}  // namespace

void StateBuilder::event(const KernelMessage& message) {
  if (const auto* link = std::get_if<Link>(&message.content)) {
    on_link(*link, message.removed);
  } else if (const auto* address = std::get_if<AddressMessage>(&message.content)) {
    on_address(*address, message.removed);
  } else if (const auto* neighbor = std::get_if<NeighborMessage>(&message.content)) {
    on_neighbor(*neighbor, message.removed);
  } else if (const auto* route = std::get_if<RouteMessage>(&message.content)) {
    on_route(*route, message);
  } else {
    needed_dumps_.insert(KernelTable::kRoutes);
  }
}

void StateBuilder::note_link_change(const Link* before, const Link* after) {
  changes_.links = true;
  const bool was_up = before != nullptr && before->admin_up;
  const bool is_up = after != nullptr && after->admin_up;
  if (before != nullptr && (!is_up || !was_up || before->name != after->name)) {
    changes_.went_down.insert(before->name);
  }
  if (after != nullptr && (!was_up || !is_up || before->name != after->name)) {
    changes_.went_down.insert(after->name);
  }
  if (was_up && !is_up) {
    needed_dumps_.insert(KernelTable::kRoutes);
  }
}

void StateBuilder::on_link(const Link& link, bool removed) {
  const auto* found = state_.link(link.index);
  const std::optional<Link> before = found == nullptr ? std::nullopt : std::optional(*found);
  const bool changed = removed ? links_.erase(link.index) : links_.set(link.index, link);
  if (changed) {
    note_link_change(before ? &*before : nullptr, removed ? nullptr : &link);
  }
  if (removed) {
    forget_link(link.index);
  }
}

// The kernel announces that addresses and neighbours go with their link, but not for every kind of
// link in every version.
void StateBuilder::forget_link(int index) {
  for (auto at = state_.addresses.lower_bound({index, {}, 0});
       at != state_.addresses.end() && at->first.link == index;) {
    const auto key = (at++)->first;
    addresses_.erase(key);
    changes_.addresses = true;
  }
  for (auto at = state_.neighbors.lower_bound({index, {}});
       at != state_.neighbors.end() && at->first.link == index;) {
    const auto key = (at++)->first;
    neighbors_.erase(key);
    changes_.neighbors.insert(key);
  }
}

void StateBuilder::on_address(const AddressMessage& message, bool removed) {
  const bool changed =
      removed ? addresses_.erase(message.key) : addresses_.set(message.key, message.value);
  changes_.addresses = changes_.addresses || changed;
  if (removed) {
    needed_dumps_.insert(KernelTable::kRoutes);
  }
}

void StateBuilder::on_neighbor(const NeighborMessage& message, bool removed) {
  const bool changed =
      removed ? neighbors_.erase(message.key) : neighbors_.set(message.key, message.value);
  if (changed) {
    changes_.neighbors.insert(message.key);
  }
}

void StateBuilder::on_route(const RouteMessage& message, const KernelMessage& how) {
  if (how.removed) {
    remove_route(message);
    return;
  }
  const auto found = state_.routes.find(message.key);
  const auto before = found == state_.routes.end() ? std::vector<KernelRoute>{} : found->second;
  // While a dump runs, the routes that this one joins may not be known here yet.
  if (const auto* collected = routes_.find_collected(message.key);
      collected != nullptr && message.key.prefix.address.is_v4() && *collected != before) {
    needed_dumps_.insert(KernelTable::kRoutes);
  }
  if (routes_.set(message.key, with_route(before, message.value, message.key, how))) {
    changes_.routes.insert(message.key.prefix);
  }
}

void StateBuilder::remove_route(const RouteMessage& message) {
  const auto found = state_.routes.find(message.key);
  if (found == state_.routes.end()) {
    routes_.erase(message.key);  // a dump that runs may still bring it
    if (routes_.dumping()) {
      needed_dumps_.insert(KernelTable::kRoutes);
    }
    return;
  }
  auto left = found->second;
  if (message.key.prefix.address.is_v6()) {
    left.front().hops = hops_left(left.front(), message.value);
    if (left.front().hops.empty()) {
      left.clear();
    }
  } else {
    auto gone = std::find(left.begin(), left.end(), message.value);
    if (gone == left.end()) {
      // Its hops or their state have changed unannounced; with one route of that key it is clear
      // which one is meant.
      gone = left.begin();
      needed_dumps_.insert(KernelTable::kRoutes);
    }
    left.erase(gone);
  }
  if (left.empty() ? routes_.erase(message.key) : routes_.set(message.key, std::move(left))) {
    changes_.routes.insert(message.key.prefix);
  }
}

void StateBuilder::begin_dump(KernelTable table) {
  abandon_dump();
  switch (table) {
    case KernelTable::kLinks:
      return links_.begin_dump();
    case KernelTable::kAddresses:
      return addresses_.begin_dump();
    case KernelTable::kNeighbors:
      return neighbors_.begin_dump();
    case KernelTable::kRoutes:
      return routes_.begin_dump();
  }
}

void StateBuilder::dumped(const KernelMessage& message) {
  if (const auto* link = std::get_if<Link>(&message.content); link != nullptr && links_.dumping()) {
    links_.collected(link->index) = *link;
  } else if (const auto* address = std::get_if<AddressMessage>(&message.content);
             address != nullptr && addresses_.dumping()) {
    addresses_.collected(address->key) = address->value;
  } else if (const auto* neighbor = std::get_if<NeighborMessage>(&message.content);
             neighbor != nullptr && neighbors_.dumping()) {
    neighbors_.collected(neighbor->key) = neighbor->value;
  } else if (const auto* route = std::get_if<RouteMessage>(&message.content);
             route != nullptr && routes_.dumping()) {
    auto& routes = routes_.collected(route->key);
    if (std::find(routes.begin(), routes.end(), route->value) == routes.end()) {
      routes.push_back(route->value);
    }
    if (routes.size() > 1 && routes_.touched(route->key)) {
      needed_dumps_.insert(KernelTable::kRoutes);
    }
  }
}

void StateBuilder::end_dump(bool interrupted) {
  if (links_.dumping()) {
    const auto before = state_.links;
    std::vector<int> changed;
    links_.end_dump(interrupted, [&changed](int index) { changed.push_back(index); });
    for (const int index : changed) {
      const auto old_link = before.find(index);
      note_link_change(old_link == before.end() ? nullptr : &old_link->second, state_.link(index));
    }
  } else if (addresses_.dumping()) {
    addresses_.end_dump(interrupted, [this](const AddressKey&) { changes_.addresses = true; });
  } else if (neighbors_.dumping()) {
    neighbors_.end_dump(interrupted,
                        [this](const NeighborKey& key) { changes_.neighbors.insert(key); });
  } else if (routes_.dumping()) {
    routes_.end_dump(interrupted,
                     [this](const RouteKey& key) { changes_.routes.insert(key.prefix); });
  }
}

void StateBuilder::abandon_dump() {
  links_.abandon_dump();
  addresses_.abandon_dump();
  neighbors_.abandon_dump();
  routes_.abandon_dump();
}

KernelChanges StateBuilder::take_changes() {
  return std::exchange(changes_, {});
}

std::set<KernelTable> StateBuilder::take_needed_dumps() {
  return std::exchange(needed_dumps_, {});
}

}  // namespace ballast::netlink
