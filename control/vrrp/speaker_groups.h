// [[vrrp]] as the speaker wants it: groups of virtual routers, with the kernel's interfaces. Pure.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/config/configuration.h"
#include "control/netlink/kernel_state.h"
#include "control/vrrp/lease_slots.h"
#include "vrrp/advert_socket.h"
#include "vrrp/router_settings.h"

namespace ballast::control {

// Instances that move together; an instance without a group is one by itself.
struct VrrpGroup {
  std::string name;
  std::vector<const VrrpSettings*> members;  // at least one, in the order of the file

  [[nodiscard]] bool has(const std::string& instance) const;
};

std::string group_of(const VrrpSettings& instance);
// In the order of the file. They point into `instances`.
std::vector<VrrpGroup> groups_of(const std::vector<VrrpSettings>& instances);

// Of all members, each once.
std::vector<vrrp::TrackSettings> track_settings(const VrrpGroup& group);

vrrp::RouterKey key_of(const RouterName& router, int interface_index);

// None: the kernel has no interface of one of the names.
std::optional<vrrp::GroupSettings> group_settings(const VrrpGroup& group,
                                                  const netlink::KernelState& kernel);

// What adverts are sent from: of IPv4 the first of the configured addresses that the interface has,
// else its lowest one; VIPs are none of them.
std::vector<vrrp::InterfaceFacts> interface_facts(const Configuration& configuration,
                                                  const netlink::KernelState& kernel);

}  // namespace ballast::control
