// The resources of the contract as validated values: what was asked for, not how it is forwarded.
//
// Everything here is canonical (addresses parsed, lists sorted, defaults filled in), so that two
// values are equal exactly when they ask for the same.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/connection/timeouts.h"
#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/packet/wire.h"
#include "dataplane/rewrite/ip_tunnel.h"
#include "dataplane/service/address_table.h"
#include "dataplane/service/virtual_service.h"

namespace ballast {

struct ServerSpecification {
  IpAddress address;
  Big16 port;
  uint16_t weight = 0;  // in force
  uint16_t configured_weight = 0;
  api::Health health = api::HEALTH_UNKNOWN;
  api::Override override_in_force = api::NO_OVERRIDE;

  friend bool operator==(const ServerSpecification&, const ServerSpecification&) = default;
};

// TUN's. What is not of the encapsulation has its default.
struct TunnelSpecification {
  Encapsulation encapsulation = Encapsulation::kIpIp;
  // Outer sources; nothing: the outgoing port's address.
  std::optional<Prefix> source_ipv4;
  std::optional<Prefix> source_ipv6;
  Big16 gue_port = kGuePort;
  TunnelChecksum checksum = TunnelChecksum::kComputed;

  [[nodiscard]] const std::optional<Prefix>& source(Family family) const {
    return family == Family::kIpv4 ? source_ipv4 : source_ipv6;
  }
  friend bool operator==(const TunnelSpecification&, const TunnelSpecification&) = default;
};

// How packets travel to the servers of a service. A server that is removed keeps what it had.
struct PathSpecification {
  TunnelSpecification tunnel;
  uint16_t mss = 0;       // 0: none is given
  bool mss_auto = false;  // what fits

  friend bool operator==(const PathSpecification&, const PathSpecification&) = default;
};

struct ServiceSpecification {
  std::string name;
  std::vector<Listener> listeners;  // sorted by ListenerOrder
  ForwardingMode mode = ForwardingMode::kDirectRouting;
  std::string scheduler;
  std::vector<ServerSpecification> servers;  // sorted by address, then port
  RefuseAction on_no_server = RefuseAction::kAnswer;
  OnServerDown on_server_down = OnServerDown::kKeep;
  bool sloppy_tcp = false;
  bool one_packet = false;
  std::vector<IpAddress> local_addresses;  // FULLNAT; sorted
  PathSpecification path;
  std::array<uint32_t, kConnectionStates> timeout_seconds{};  // 0: the default

  friend bool operator==(const ServiceSpecification&, const ServiceSpecification&) = default;
};
using SharedService = std::shared_ptr<const ServiceSpecification>;

struct VipSpecification {
  IpAddress address;
  LeaseSlot lease{};
  MacAddress virtual_mac;  // zero: the port's own
  bool ignore_ping = false;
  AddressRole role = AddressRole::kVip;  // never kNode

  friend bool operator==(const VipSpecification&, const VipSpecification&) = default;
};

struct PortSpecification {
  std::vector<IpAddress> addresses;  // sorted, each once
  bool link_up = false;
  bool link_known = false;

  friend bool operator==(const PortSpecification&, const PortSpecification&) = default;
};

struct NeighborSpecification {
  MacAddress mac;
  NeighborState state = NeighborState::kUnknown;

  friend bool operator==(const NeighborSpecification&, const NeighborSpecification&) = default;
};

struct SettingsSpecification {
  RefuseAction on_no_service = RefuseAction::kAnswer;
  std::vector<Prefix> routed_networks;  // sorted, each once

  friend bool operator==(const SettingsSpecification&, const SettingsSpecification&) = default;
};

struct ListenerOrder {
  bool operator()(const Listener& a, const Listener& b) const {
    if (a.vip != b.vip) {
      return a.vip < b.vip;
    }
    return a.protocol != b.protocol ? a.protocol < b.protocol : a.port < b.port;
  }
};

// For people: `tcp/192.0.2.10:80`, `10.0.0.11:8080`, `[2001:db8::1]:80`, `service "web"`.
std::string describe(const Listener& listener);
std::string describe(const IpAddress& address, Big16 port);
std::string describe_service(const std::string& name);
std::string describe_port(const std::string& name);
// As the contract calls it: `SERVICES`, `GATEWAY`, `LOCAL`.
std::string describe(AddressRole role);

}  // namespace ballast
