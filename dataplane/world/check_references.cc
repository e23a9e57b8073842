#include "dataplane/world/check_references.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace ballast {
namespace {

const VipSpecification* resulting_vip(const DesiredState& base, const ChangeSet& changes,
                                      const IpAddress& address) {
  return resulting(base.vips(), changes.vips, address);
}

// Every listener of a changed service is on a VIP, and nobody else's.
void check_listeners(const DesiredState& base, const ChangeSet& changes, RefusalList& refusals) {
  DesiredState::Listeners taken;  // by the services of this change
  for (const auto& [name, service] : changes.services) {
    if (!service) {
      continue;
    }
    for (const Listener& listener : (*service)->listeners) {
      const std::string who = fmt::format("listener {}", describe(listener));
      const VipSpecification* vip = resulting_vip(base, changes, listener.vip);
      if (vip == nullptr) {
        refusals.add(describe_service(name),
                     fmt::format("{}: address is not a VIP of this state: add vip {}", who,
                                 listener.vip.to_string()));
      } else if (vip->role != AddressRole::kVip) {
        refusals.add(describe_service(name),
                     fmt::format("{}: vip {} has use {}: services listen on addresses with use "
                                 "SERVICES only",
                                 who, listener.vip.to_string(), describe(vip->role)));
      }
      const auto [other, free] = taken.emplace(listener, name);
      const auto present = base.listeners().find(listener);
      if (!free) {
        refusals.add(describe_service(name),
                     fmt::format("{}: {} listens there too", who, describe_service(other->second)));
      } else if (present != base.listeners().end() && !changes.services.contains(present->second)) {
        refusals.add(describe_service(name),
                     fmt::format("{}: {} listens there", who, describe_service(present->second)));
      }
    }
  }
}

// Every local address of a changed service is one of this state.
void check_local_addresses(const DesiredState& base, const ChangeSet& changes,
                           RefusalList& refusals) {
  for (const auto& [name, service] : changes.services) {
    if (!service) {
      continue;
    }
    for (const IpAddress& address : (*service)->local_addresses) {
      const VipSpecification* vip = resulting_vip(base, changes, address);
      const std::string text = address.to_string();
      if (vip == nullptr) {
        refusals.add(describe_service(name),
                     fmt::format("local address {} is not an address of this state: add vip {} "
                                 "with use LOCAL",
                                 text, text));
      } else if (vip->role != AddressRole::kLocal) {
        refusals.add(describe_service(name),
                     fmt::format("local address {}: vip {} has use {}: local addresses need use "
                                 "LOCAL",
                                 text, text, describe(vip->role)));
      }
    }
  }
}

// What becomes of an address that services depended on in its former use.
std::string fate_of(const std::optional<VipSpecification>& vip) {
  return vip ? fmt::format(" before its use becomes {}", describe(vip->role)) : " first";
}

// No service that stays as it is loses its VIP.
void check_lost_vip(const DesiredState& base, const ChangeSet& changes, const IpAddress& address,
                    const std::optional<VipSpecification>& vip, RefusalList& refusals) {
  auto listener = base.listeners().lower_bound({address, Big16{}, IpProtocol{}});
  for (; listener != base.listeners().end() && listener->first.vip == address; ++listener) {
    if (!changes.services.contains(listener->second)) {
      refusals.add(
          "vip " + address.to_string(),
          fmt::format("{} listens on {}: remove the listener{}", describe_service(listener->second),
                      describe(listener->first), fate_of(vip)));
    }
  }
}

// No service that stays as it is loses a local address. `lost` are some of these.
void check_lost_local_addresses(const DesiredState& base, const ChangeSet& changes,
                                const std::set<IpAddress>& lost, RefusalList& refusals) {
  if (lost.empty()) {
    return;
  }
  for (const auto& [name, service] : base.services()) {
    if (changes.services.contains(name)) {
      continue;
    }
    for (const IpAddress& address : service->local_addresses) {
      if (lost.contains(address)) {
        refusals.add("vip " + address.to_string(),
                     fmt::format("is a local address of {}: remove it there{}",
                                 describe_service(name), fate_of(changes.vips.at(address))));
      }
    }
  }
}

void check_lost_uses(const DesiredState& base, const ChangeSet& changes, RefusalList& refusals) {
  std::set<IpAddress> lost_local;
  for (const auto& [address, vip] : changes.vips) {
    const auto former = base.vips().find(address);
    if (former == base.vips().end() || (vip && vip->role == former->second.role)) {
      continue;
    }
    if (former->second.role == AddressRole::kVip) {
      check_lost_vip(base, changes, address, vip, refusals);
    } else if (former->second.role == AddressRole::kLocal) {
      lost_local.insert(address);
    }
  }
  check_lost_local_addresses(base, changes, lost_local, refusals);
}

// An address is either the node's, which the kernel answers for, or a VIP, which the dataplane
// does.
void check_node_addresses(const DesiredState& base, const ChangeSet& changes,
                          const std::vector<std::string>& port_names, RefusalList& refusals) {
  for (size_t number = 0; number < port_names.size(); ++number) {
    const auto port = static_cast<PortIndex>(number);
    const PortSpecification* specification = resulting(base.ports(), changes.ports, port);
    if (specification == nullptr) {
      continue;
    }
    if (changes.ports.contains(port)) {
      for (const IpAddress& address : specification->addresses) {
        if (resulting(base.vips(), changes.vips, address) != nullptr) {
          refusals.add(describe_port(port_names[number]),
                       fmt::format("address {} is a VIP of this state: remove it from the "
                                   "interface, a VIP never lives in the kernel",
                                   address.to_string()));
        }
      }
      continue;
    }
    for (const auto& [address, vip] : changes.vips) {
      if (vip && std::binary_search(specification->addresses.begin(),
                                    specification->addresses.end(), address)) {
        refusals.add("vip " + address.to_string(),
                     fmt::format("is an address of {}: remove it from the interface, a VIP never "
                                 "lives in the kernel",
                                 describe_port(port_names[number])));
      }
    }
  }
}

void check_limit(const char* what, size_t size, size_t limit, RefusalList& refusals) {
  if (size > limit) {
    refusals.add("transaction", fmt::format("the state would have {} {}: at most {} are allowed",
                                            size, what, limit));
  }
}

}  // namespace

void check_references(const DesiredState& base, const ChangeSet& changes,
                      const std::vector<std::string>& port_names, RefusalList& refusals) {
  if (changes.generation <= base.generation()) {
    refusals.add("transaction",
                 fmt::format("generation {} is not greater than {}, which is in force",
                             changes.generation, base.generation()));
  }
  check_listeners(base, changes, refusals);
  check_local_addresses(base, changes, refusals);
  check_lost_uses(base, changes, refusals);
  check_node_addresses(base, changes, port_names, refusals);
}

void check_limits(const DesiredState& base, const ChangeSet& changes, size_t routes,
                  const WorldLimits& limits, RefusalList& refusals) {
  size_t listeners = base.listeners().size();
  size_t servers = base.servers();
  for (const auto& [name, service] : changes.services) {
    if (const auto former = base.services().find(name); former != base.services().end()) {
      listeners -= former->second->listeners.size();
      servers -= former->second->servers.size();
    }
    if (service) {
      listeners += (*service)->listeners.size();
      servers += (*service)->servers.size();
    }
  }
  check_limit("services", resulting_size(base.services(), changes.services), limits.max_services,
              refusals);
  check_limit("listeners", listeners, limits.max_listeners, refusals);
  check_limit("servers", servers, limits.max_servers, refusals);
  check_limit("VIPs", resulting_size(base.vips(), changes.vips), limits.max_vips, refusals);
  check_limit("neighbors", resulting_size(base.neighbors(), changes.neighbors),
              limits.max_neighbors, refusals);
  check_limit("routes", routes, limits.max_routes, refusals);
}

}  // namespace ballast
