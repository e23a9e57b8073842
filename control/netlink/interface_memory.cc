#include "control/netlink/interface_memory.h"

#include <algorithm>

#include <linux/rtnetlink.h>

namespace ballast::netlink {

namespace {

// The kernel's IFA_PROTO for addresses of its own making: loopback, from router advertisements,
// link-local.
constexpr uint8_t kFirstKernelProtocol = 1;
constexpr uint8_t kLastKernelProtocol = 3;

// fe80::xxxx:xxff:fexx:xxxx, which every link gets by itself; kernels before 5.18 do not mark it.
bool is_automatic_link_local(const IpAddress& address) {
  return address.is_v6() && address.is_link_local() && address.bytes()[11] == 0xff &&
         address.bytes()[12] == 0xfe;
}

bool made_by_operator(const AddressKey& key, const KernelAddress& value) {
  const bool by_kernel =
      value.protocol >= kFirstKernelProtocol && value.protocol <= kLastKernelProtocol;
  return value.permanent && !by_kernel && value.protocol != kBallastProtocol &&
         !is_automatic_link_local(key.address);
}

bool made_by_operator(const KernelRoute& route) {
  return route.protocol == RTPROT_BOOT || route.protocol == RTPROT_STATIC;
}

std::vector<std::string> link_names(const KernelRoute& route, const KernelState& state) {
  std::vector<std::string> names;
  for (const auto& hop : route.hops) {
    const auto* link = state.link(hop.link);
    names.push_back(link == nullptr ? std::string() : link->name);
  }
  return names;
}

}  // namespace

void InterfaceMemory::set_twins(const std::set<std::string>& twins, const KernelState& state) {
  std::erase_if(twins_, [&twins](const auto& entry) { return !twins.contains(entry.first); });
  bool more = false;
  for (const auto& twin : twins) {
    const auto [entry, fresh] = twins_.try_emplace(twin);
    if (!fresh) {
      continue;
    }
    more = true;
    const auto* link = state.link_named(twin);
    entry->second.lost = link == nullptr || !link->admin_up;
    if (!entry->second.lost) {
      look_at_addresses(twin, entry->second, state);
    }
  }
  if (more) {
    look_at_all_routes(state);
  }
}

void InterfaceMemory::follow(const KernelState& state, const KernelChanges& changes) {
  for (auto& [twin, memory] : twins_) {
    const auto* link = state.link_named(twin);
    if (link == nullptr || !link->admin_up || changes.went_down.contains(twin)) {
      memory.lost = true;
    }
    if (changes.addresses || changes.everything) {
      look_at_addresses(twin, memory, state);
    }
  }
  if (changes.everything) {
    look_at_all_routes(state);
    return;
  }
  for (const auto& prefix : changes.routes) {
    look_at_prefix(prefix, state);
  }
}

void InterfaceMemory::restored(const std::string& twin, const KernelState& state) {
  const auto entry = twins_.find(twin);
  if (entry == twins_.end()) {
    return;
  }
  // What was restored a moment ago is not in the mirror yet, but will be; what was removed
  // meanwhile will be reported.
  entry->second.lost = false;
  for (const auto& [key, value] : state.addresses) {
    const auto* link = state.link(key.link);
    if (link != nullptr && link->name == twin && made_by_operator(key, value)) {
      entry->second.addresses[{key.address, key.prefix_length}] = value;
    }
  }
  for (const auto& [key, routes] : state.routes) {
    look_at_route(key, routes, state);
  }
}

const RememberedInterface* InterfaceMemory::of(const std::string& twin) const {
  const auto found = twins_.find(twin);
  return found == twins_.end() ? nullptr : &found->second;
}

void InterfaceMemory::look_at_addresses(const std::string& twin, RememberedInterface& memory,
                                        const KernelState& state) {
  const auto* link = state.link_named(twin);
  if (memory.lost || link == nullptr) {
    return;
  }
  memory.addresses.clear();
  for (auto at = state.addresses.lower_bound({link->index, {}, 0});
       at != state.addresses.end() && at->first.link == link->index; ++at) {
    if (made_by_operator(at->first, at->second)) {
      memory.addresses[{at->first.address, at->first.prefix_length}] = at->second;
    }
  }
}

void InterfaceMemory::look_at_route(const RouteKey& key, const std::vector<KernelRoute>& routes,
                                    const KernelState& state) {
  for (const auto& route : routes) {
    if (route.protocol == kBallastProtocol) {
      our_routes_.insert(key);
    }
    if (!made_by_operator(route)) {
      continue;
    }
    auto names = link_names(route, state);
    for (auto& [twin, memory] : twins_) {
      if (!memory.lost && std::find(names.begin(), names.end(), twin) != names.end()) {
        memory.routes[key] = {route, names};
      }
    }
  }
}

void InterfaceMemory::look_at_prefix(const Prefix& prefix, const KernelState& state) {
  const auto in_prefix = [&prefix](const RouteKey& key) { return key.prefix == prefix; };
  for (auto& [twin, memory] : twins_) {
    auto at = memory.routes.lower_bound({prefix, 0});
    while (!memory.lost && at != memory.routes.end() && in_prefix(at->first)) {
      at = memory.routes.erase(at);
    }
  }
  for (auto at = our_routes_.lower_bound({prefix, 0}); at != our_routes_.end() && in_prefix(*at);) {
    at = our_routes_.erase(at);
  }
  for (auto at = state.routes.lower_bound({prefix, 0});
       at != state.routes.end() && in_prefix(at->first); ++at) {
    look_at_route(at->first, at->second, state);
  }
}

void InterfaceMemory::look_at_all_routes(const KernelState& state) {
  our_routes_.clear();
  for (auto& [twin, memory] : twins_) {
    if (!memory.lost) {
      memory.routes.clear();
    }
  }
  for (const auto& [key, routes] : state.routes) {
    look_at_route(key, routes, state);
  }
}

}  // namespace ballast::netlink
