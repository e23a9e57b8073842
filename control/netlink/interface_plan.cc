#include "control/netlink/interface_plan.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <linux/rtnetlink.h>

namespace ballast::netlink {

namespace {

constexpr uint32_t kDefaultIpv6Metric =
    1024;  // IP6_RT_PRIO_USER, which the kernel puts in the place of 0

RouteKey key_of(const ConfiguredRoute& route) {
  uint32_t metric = route.metric.value_or(0);
  if (metric == 0 && route.to.address.is_v6()) {
    metric = kDefaultIpv6Metric;
  }
  return {route.to, metric};
}

KernelRoute value_of(const ConfiguredRoute& route, int link) {
  KernelRoute value;
  value.protocol = kBallastProtocol;
  value.scope = RT_SCOPE_UNIVERSE;
  value.hops.push_back({.link = link, .gateway = route.via});
  return value;
}

KernelAddress value_of(const ConfiguredAddress& address) {
  KernelAddress value;
  value.permanent = true;
  value.protocol = kBallastProtocol;
  value.scope = address.address.is_link_local() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  return value;
}

// One planning; its parts in the order of the actions.
class Planner {
 public:
  Planner(const KernelState& state, const InterfaceSettings& wanted,
          const RememberedInterface& memory, const Link& link)
      : state_(state), wanted_(wanted), memory_(memory), link_(link) {}

  void add_addresses() {
    for (const auto& address : wanted_.addresses) {
      const AddressKey key{link_.index, address.address, address.prefix_length};
      if (memory_.lost || !state_.addresses.contains(key)) {
        plan_.actions.emplace_back(AddAddress{key, value_of(address)});
      }
    }
    if (memory_.lost) {
      for (const auto& [key, value] : memory_.addresses) {
        plan_.actions.emplace_back(AddAddress{{link_.index, key.first, key.second}, value});
      }
    }
  }
  void add_routes() {
    for (const auto& route : wanted_.routes) {
      add_route(route);
    }
    if (memory_.lost) {
      for (const auto& [key, remembered] : memory_.routes) {
        restore_route(key, remembered);
      }
    }
  }
  void remove_routes(const std::set<RouteKey>& our_routes);
  void remove_addresses();
  InterfacePlan take() { return std::move(plan_); }

 private:
  void add_route(const ConfiguredRoute& route);
  void restore_route(const RouteKey& key, const RememberedRoute& remembered);
  [[nodiscard]] bool is_over_this_link(const KernelRoute& route) const {
    return std::any_of(route.hops.begin(), route.hops.end(),
                       [this](const KernelHop& hop) { return hop.link == link_.index; });
  }

  const KernelState& state_;
  const InterfaceSettings& wanted_;
  const RememberedInterface& memory_;
  const Link& link_;
  InterfacePlan plan_;
};

void Planner::add_route(const ConfiguredRoute& route) {
  const auto key = key_of(route);
  const auto value = value_of(route, link_.index);
  const auto present = state_.routes.find(key);
  if (memory_.lost || present == state_.routes.end()) {
    plan_.actions.emplace_back(AddRoute{key, value, false});
    return;
  }
  const auto& routes = present->second;
  const auto as_wanted = [&value](const KernelRoute& other) {
    return other.kind == RouteKind::kUnicast && other.hops.size() == 1 &&
           other.hops.front().link == value.hops.front().link &&
           other.hops.front().gateway == value.hops.front().gateway;
  };
  if (std::any_of(routes.begin(), routes.end(), as_wanted)) {
    return;
  }
  if (routes.size() == 1 && routes.front().protocol == kBallastProtocol) {
    plan_.actions.emplace_back(AddRoute{key, value, true});
    return;
  }
  plan_.problems.push_back(
      fmt::format("interface \"{}\": {}: another route with metric {} is in the way: remove it, or "
                  "configure another metric",
                  link_.name, subject_of(AddRoute{key, value, false}), key.metric));
}

void Planner::restore_route(const RouteKey& key, const RememberedRoute& remembered) {
  AddRoute action{key, remembered.route, false};
  for (size_t i = 0; i < remembered.links.size(); ++i) {
    const auto* link = state_.link_named(remembered.links[i]);
    if (link == nullptr || !link->admin_up) {
      return;  // it comes back with the last of its links
    }
    action.route.hops[i].link = link->index;
  }
  // Of a multipath route the kernel may have kept the hops over other links.
  const auto present = state_.routes.find(key);
  action.replace = action.route.hops.size() > 1 && present != state_.routes.end() &&
                   present->second.size() == 1 &&
                   present->second.front().protocol == remembered.route.protocol &&
                   present->second.front().hops.size() <= action.route.hops.size();
  plan_.actions.emplace_back(std::move(action));
}

void Planner::remove_routes(const std::set<RouteKey>& our_routes) {
  for (const auto& key : our_routes) {
    const bool is_wanted =
        std::any_of(wanted_.routes.begin(), wanted_.routes.end(),
                    [&key](const ConfiguredRoute& route) { return key_of(route) == key; });
    const auto present = state_.routes.find(key);
    if (is_wanted || present == state_.routes.end()) {
      continue;
    }
    for (const auto& route : present->second) {
      if (route.protocol == kBallastProtocol && is_over_this_link(route)) {
        plan_.actions.emplace_back(RemoveRoute{key, route});
      }
    }
  }
}

void Planner::remove_addresses() {
  for (auto at = state_.addresses.lower_bound({link_.index, {}, 0});
       at != state_.addresses.end() && at->first.link == link_.index; ++at) {
    const ConfiguredAddress address{at->first.address, at->first.prefix_length};
    const bool is_wanted = std::find(wanted_.addresses.begin(), wanted_.addresses.end(), address) !=
                           wanted_.addresses.end();
    if (at->second.protocol == kBallastProtocol && !is_wanted) {
      plan_.actions.emplace_back(RemoveAddress{at->first, at->second});
    }
  }
}

std::string route_text(const RouteKey& key, const KernelRoute& route) {
  auto text = fmt::format("route {}", key.prefix.to_string());
  for (const auto& hop : route.hops) {
    if (hop.gateway) {
      text += fmt::format(" via {}", hop.gateway->to_string());
    }
  }
  return text;
}

std::string address_text(const AddressKey& key) {
  return fmt::format("address {}/{}", key.address.to_string(), key.prefix_length);
}

}  // namespace

InterfacePlan plan_interface(const KernelState& state, const InterfaceSettings& wanted,
                             const RememberedInterface& memory,
                             const std::set<RouteKey>& our_routes, bool bring_up) {
  const auto* link = state.link_named(wanted.name);
  if (link == nullptr) {
    return {};
  }
  if (!link->admin_up) {
    InterfacePlan plan;
    if (bring_up) {
      plan.actions.emplace_back(SetLinkUp{link->index});
    }
    return plan;
  }
  Planner planner(state, wanted, memory, *link);
  planner.add_addresses();
  planner.add_routes();
  planner.remove_routes(our_routes);
  planner.remove_addresses();
  return planner.take();
}

std::string subject_of(const InterfaceAction& action) {
  if (const auto* added_address = std::get_if<AddAddress>(&action)) {
    return address_text(added_address->key);
  }
  if (const auto* removed_address = std::get_if<RemoveAddress>(&action)) {
    return address_text(removed_address->key);
  }
  if (const auto* added_route = std::get_if<AddRoute>(&action)) {
    return route_text(added_route->key, added_route->route);
  }
  if (const auto* removed_route = std::get_if<RemoveRoute>(&action)) {
    return route_text(removed_route->key, removed_route->route);
  }
  return "link";
}

}  // namespace ballast::netlink
