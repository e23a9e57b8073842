// What has to be done to an interface so that it has what the configuration asks for. Pure: values
// in, actions out.
//
// Missing addresses and routes are added; those that ballastd made (kBallastProtocol) and that are
// not asked for any more are removed, after the new ones are there; nothing that somebody else made
// is changed or removed. A route that is in the way, with the same destination and metric, is a
// problem that is told, not solved.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/netlink/interface_memory.h"
#include "control/netlink/kernel_state.h"

namespace ballast::netlink {

struct ConfiguredAddress {
  IpAddress address;
  uint8_t prefix_length = 0;

  friend bool operator==(const ConfiguredAddress&, const ConfiguredAddress&) = default;
};

struct ConfiguredRoute {
  Prefix to;
  IpAddress via;
  std::optional<uint32_t> metric;  // none: 0 for IPv4, 1024 for IPv6, as `ip route` does

  friend bool operator==(const ConfiguredRoute&, const ConfiguredRoute&) = default;
};

struct InterfaceSettings {
  std::string name;
  std::vector<ConfiguredAddress> addresses;
  std::vector<ConfiguredRoute> routes;

  friend bool operator==(const InterfaceSettings&, const InterfaceSettings&) = default;
};

struct SetLinkUp {
  int link = 0;
  friend bool operator==(const SetLinkUp&, const SetLinkUp&) = default;
};
struct AddAddress {
  AddressKey key;
  KernelAddress value;
  friend bool operator==(const AddAddress&, const AddAddress&) = default;
};
struct RemoveAddress {
  AddressKey key;
  KernelAddress value;
  friend bool operator==(const RemoveAddress&, const RemoveAddress&) = default;
};
struct AddRoute {
  RouteKey key;
  KernelRoute route;
  bool replace = false;
  friend bool operator==(const AddRoute&, const AddRoute&) = default;
};
struct RemoveRoute {
  RouteKey key;
  KernelRoute route;
  friend bool operator==(const RemoveRoute&, const RemoveRoute&) = default;
};
using InterfaceAction = std::variant<SetLinkUp, AddAddress, RemoveAddress, AddRoute, RemoveRoute>;

struct InterfacePlan {
  std::vector<InterfaceAction> actions;  // to be carried out in this order
  std::vector<std::string> problems;     // sentences

  [[nodiscard]] bool empty() const { return actions.empty() && problems.empty(); }
};

// `memory` of this interface; if it was lost, all that is wanted and remembered is added, whatever
// `state` says, because the kernel takes IPv4 routes without saying so. An interface that is absent
// needs nothing; one that is administratively down needs SetLinkUp if `bring_up`, and the rest when
// it is up.
InterfacePlan plan_interface(const KernelState& state, const InterfaceSettings& wanted,
                             const RememberedInterface& memory,
                             const std::set<RouteKey>& our_routes, bool bring_up);

// "address 10.0.0.1/24", "route 10.0.0.0/8 via 192.0.2.1": what an action is about, for messages.
std::string subject_of(const InterfaceAction& action);

}  // namespace ballast::netlink
