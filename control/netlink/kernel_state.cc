#include "control/netlink/kernel_state.h"

#include <unordered_map>

namespace ballast::netlink {

namespace {

using RouteIterator = std::map<RouteKey, std::vector<KernelRoute>>::const_iterator;
// Names of the twins that are up, by index.
using UsableTwins = std::unordered_map<int, std::string>;

UsableTwins usable_twins(const KernelState& state, const std::set<std::string>& twins) {
  UsableTwins usable;
  for (const auto& [index, link] : state.links) {
    if (link.up && twins.contains(link.name)) {
      usable.emplace(index, link.name);
    }
  }
  return usable;
}

std::optional<EffectiveRoute> usable_part(const KernelRoute& route, const UsableTwins& twins) {
  EffectiveRoute effective;
  effective.kind = route.kind;
  if (route.kind != RouteKind::kUnicast) {
    return effective;
  }
  for (const auto& hop : route.hops) {
    if (const auto twin = twins.find(hop.link); twin != twins.end()) {
      effective.hops.push_back({twin->second, hop.gateway, hop.weight});
    }
  }
  if (effective.hops.empty()) {
    return std::nullopt;
  }
  return effective;
}

// Looks at all routes of the prefix that `at` is at, leaves `at` behind the last of them.
std::optional<EffectiveRoute> best_of_prefix(RouteIterator& at, RouteIterator end,
                                             const UsableTwins& twins) {
  std::optional<EffectiveRoute> best;
  for (const Prefix prefix = at->first.prefix; at != end && at->first.prefix == prefix; ++at) {
    for (const auto& route : at->second) {
      if (!best) {
        best = usable_part(route, twins);
        if (best) {
          best->metric = at->first.metric;
        }
      }
    }
  }
  return best;
}

}  // namespace

const Link* KernelState::link(int index) const {
  const auto found = links.find(index);
  return found == links.end() ? nullptr : &found->second;
}

const Link* KernelState::link_named(std::string_view name) const {
  for (const auto& [index, link] : links) {
    if (link.name == name) {
      return &link;
    }
  }
  return nullptr;
}

bool KernelChanges::empty() const {
  return !everything && !links && !addresses && neighbors.empty() && routes.empty() &&
         went_down.empty();
}

std::optional<EffectiveRoute> effective_route(const KernelState& state,
                                              const std::set<std::string>& twins,
                                              const Prefix& prefix) {
  auto at = state.routes.lower_bound(RouteKey{prefix, 0});
  if (at == state.routes.end() || at->first.prefix != prefix) {
    return std::nullopt;
  }
  return best_of_prefix(at, state.routes.end(), usable_twins(state, twins));
}

std::map<Prefix, EffectiveRoute> effective_routes(const KernelState& state,
                                                  const std::set<std::string>& twins) {
  const auto usable = usable_twins(state, twins);
  std::map<Prefix, EffectiveRoute> routes;
  for (auto at = state.routes.begin(); at != state.routes.end();) {
    const Prefix prefix = at->first.prefix;
    if (auto best = best_of_prefix(at, state.routes.end(), usable)) {
      routes.emplace_hint(routes.end(), prefix, std::move(*best));
    }
  }
  return routes;
}

std::vector<InterfaceAddress> addresses_of(const KernelState& state,
                                           const std::set<std::string>& links) {
  std::vector<InterfaceAddress> addresses;
  for (const auto& [key, value] : state.addresses) {
    const auto* link = state.link(key.link);
    if (link != nullptr && links.contains(link->name)) {
      addresses.push_back({link->name, key.address, key.prefix_length});
    }
  }
  return addresses;
}

}  // namespace ballast::netlink
