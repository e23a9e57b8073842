#include "control/vrrp/speaker_groups.h"

#include <algorithm>
#include <set>

namespace ballast::control {
namespace {

vrrp::RouterSettings router_settings(const VrrpSettings& instance, const vrrp::RouterKey& key) {
  vrrp::RouterSettings router;
  router.key = key;
  router.version = instance.version;
  router.advert_interval = instance.advert_interval;
  router.addresses = instance.addresses_of(key.family);
  router.checksum = instance.checksum;
  router.minimum_ttl = instance.minimum_ttl;
  router.strict_addresses = instance.strict_addresses;
  router.virtual_mac = instance.virtual_mac;
  for (const IpAddress& peer : instance.unicast_peers) {
    if (peer.family() == key.family) {
      router.unicast_peers.push_back(peer);
    }
  }
  return router;
}

// Those are the dataplane's, whoever put them on an interface.
std::set<IpAddress> dataplane_addresses(const Configuration& configuration) {
  std::set<IpAddress> addresses;
  for (const HeldAddress& held : held_addresses(configuration)) {
    addresses.insert(held.address);
  }
  return addresses;
}

// The configured addresses of an interface, in the order of the file.
std::vector<IpAddress> configured_addresses(const Configuration& configuration,
                                            const std::string& interface) {
  std::vector<IpAddress> addresses;
  for (const InterfaceSettings& each : configuration.interfaces) {
    if (each.name == interface) {
      for (const InterfaceAddress& address : each.addresses) {
        addresses.push_back(address.address);
      }
    }
  }
  return addresses;
}

}  // namespace

bool VrrpGroup::has(const std::string& instance) const {
  return std::ranges::any_of(
      members, [&instance](const VrrpSettings* member) { return member->name == instance; });
}

std::string group_of(const VrrpSettings& instance) {
  return instance.group.empty() ? instance.name : instance.group;
}

std::vector<VrrpGroup> groups_of(const std::vector<VrrpSettings>& instances) {
  std::vector<VrrpGroup> groups;
  for (const VrrpSettings& instance : instances) {
    const std::string name = group_of(instance);
    const auto found = std::ranges::find(groups, name, &VrrpGroup::name);
    VrrpGroup& group = found == groups.end() ? groups.emplace_back(VrrpGroup{name, {}}) : *found;
    group.members.push_back(&instance);
  }
  return groups;
}

std::vector<vrrp::TrackSettings> track_settings(const VrrpGroup& group) {
  std::vector<vrrp::TrackSettings> tracks;
  for (const VrrpSettings* member : group.members) {
    for (vrrp::TrackSettings& track : track_settings(*member)) {
      if (std::ranges::find(tracks, track.name, &vrrp::TrackSettings::name) == tracks.end()) {
        tracks.push_back(std::move(track));
      }
    }
  }
  return tracks;
}

vrrp::RouterKey key_of(const RouterName& router, int interface_index) {
  return {vrrp::InterfaceIndex{static_cast<uint32_t>(interface_index)}, router.family,
          vrrp::VirtualRouterId{router.id}};
}

std::optional<vrrp::GroupSettings> group_settings(const VrrpGroup& group,
                                                  const netlink::KernelState& kernel) {
  const VrrpSettings& first = *group.members.front();
  vrrp::GroupSettings settings;
  settings.name = group.name;
  settings.priority = vrrp::Priority{first.priority};
  settings.preempt = first.preempt;
  settings.preempt_delay = first.preempt_delay;
  settings.announce_refresh = first.announce_refresh;
  for (const VrrpSettings* member : group.members) {
    const netlink::Link* link = kernel.link_named(member->interface);
    if (link == nullptr) {
      return std::nullopt;
    }
    for (const RouterName& router : routers_of(*member)) {
      settings.routers.push_back(router_settings(*member, key_of(router, link->index)));
    }
  }
  return settings;
}

std::vector<vrrp::InterfaceFacts> interface_facts(const Configuration& configuration,
                                                  const netlink::KernelState& kernel) {
  const std::set<IpAddress> held = dataplane_addresses(configuration);
  std::vector<vrrp::InterfaceFacts> facts;
  std::set<std::string> seen;
  for (const VrrpSettings& instance : configuration.vrrp) {
    const netlink::Link* link = kernel.link_named(instance.interface);
    if (link == nullptr || !seen.insert(instance.interface).second) {
      continue;
    }
    vrrp::InterfaceFacts& fact = facts.emplace_back();
    fact.interface = vrrp::InterfaceIndex{static_cast<uint32_t>(link->index)};
    std::set<IpAddress> own;
    for (const auto& [key, address] : kernel.addresses) {
      if (key.link == link->index && !held.contains(key.address)) {
        own.insert(key.address);
      }
    }
    for (const IpAddress& address : configured_addresses(configuration, instance.interface)) {
      if (!fact.ipv4 && address.is_v4() && own.contains(address)) {
        fact.ipv4 = address;
      }
    }
    for (const IpAddress& address : own) {
      if (!fact.ipv4 && address.is_v4()) {
        fact.ipv4 = address;
      } else if (!fact.link_local && address.is_v6() && address.is_link_local()) {
        fact.link_local = address;
      }
    }
  }
  return facts;
}

}  // namespace ballast::control
