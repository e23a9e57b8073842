// What ballast.toml says, as values: immutable once loaded (load.h), compared with ==, printed by
// facts.h.
//
// Everything is in the order of the file. Defaults are filled in and inheritance is resolved: a
// server's check is complete, with its port. Nothing here knows of TOML, of the contract's
// messages, or of what is in force: weights here are the configured ones.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/vrrp_settings.h"
#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"
#include "healthcheck/check_settings.h"

namespace ballast::control {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
enum class Mode : uint8_t { kDirectRouting, kNat, kFullNat, kTunnel };
// What a packet gets that cannot be served: TCP reset (or ICMP port unreachable for UDP), or
// nothing.
enum class Refuse : uint8_t { kAnswer, kDrop };
// What happens to the connections of a server that is removed or disabled.
enum class OnServerDown : uint8_t { kKeep, kReset, kReschedule };
enum class Encapsulation : uint8_t { kIpip, kGre, kGue };

// The words for these in ballast.toml.
std::string_view name_of(LogLevel level);
std::string_view name_of(Mode mode);
std::string_view name_of(Refuse refuse);
std::string_view name_of(OnServerDown on_server_down);
std::string_view name_of(Encapsulation encapsulation);

struct DaemonSettings {
  std::string dataplane_socket = "/run/ballast/dataplane.sock";
  std::string control_socket = "/run/ballast/ballastd.sock";
  std::string control_socket_group;    // who may use ballastctl; empty: ballastd's own group
  std::string script_user = "nobody";  // runs the programs that [[vrrp]] names
  LogLevel log_level = LogLevel::kInfo;
  Refuse on_no_service = Refuse::kAnswer;

  friend bool operator==(const DaemonSettings&, const DaemonSettings&) = default;
};

// An address of the node itself, with the length of its network's prefix: "10.0.0.1/24".
struct InterfaceAddress {
  IpAddress address;
  uint8_t length = 0;

  [[nodiscard]] Prefix network() const { return Prefix::containing(address, length); }
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

struct RouteSettings {
  Prefix to;
  IpAddress via;
  uint32_t metric = 0;  // 0: the kernel's default

  friend bool operator==(const RouteSettings&, const RouteSettings&) = default;
};

// What ballastd sets on a kernel twin; an interface that is not named is left to the operator's own
// tools.
struct InterfaceSettings {  // key: name
  std::string name;
  std::vector<InterfaceAddress> addresses;
  std::vector<RouteSettings> routes;

  friend bool operator==(const InterfaceSettings&, const InterfaceSettings&) = default;
};

struct Listener {
  IpProtocol protocol = IpProtocol::kTcp;  // or kUdp
  IpAddress address;
  uint16_t port = 0;  // 1..65535

  [[nodiscard]] std::string to_string() const;  // "tcp/192.0.2.10:80", "udp/[2001:db8::10]:53"
  friend auto operator<=>(const Listener&, const Listener&) = default;
};

// Names a server within its service. The port is 0, that of the connection, where the mode leaves
// it alone (dr, tun), and where the file does not say another one.
struct ServerKey {
  IpAddress address;
  uint16_t port = 0;

  [[nodiscard]] std::string to_string()
      const;  // "10.0.0.11", "10.0.0.11:8080", "[2001:db8::11]:80"
  friend auto operator<=>(const ServerKey&, const ServerKey&) = default;
};

struct ServerSettings {
  ServerKey key;
  uint16_t weight = 1;
  healthcheck::CheckSettings
      check;  // complete: of the service, with what the server overrides; its port is not 0

  friend bool operator==(const ServerSettings&, const ServerSettings&) = default;
};

inline constexpr uint16_t kUsualGuePort = 6080;

// The outer packet of mode tun.
struct TunnelSettings {
  Encapsulation encapsulation = Encapsulation::kIpip;
  // What outer source addresses are taken from, at most one of a family; a family that has none
  // uses the address of the outgoing port.
  std::vector<Prefix> sources;
  uint16_t gue_port = kUsualGuePort;
  bool gue_checksum = true;  // over IPv6; over IPv4 there is none

  friend bool operator==(const TunnelSettings&, const TunnelSettings&) = default;
};

struct ServiceSettings {  // key: name
  std::string name;
  std::vector<Listener> listeners;
  Mode mode = Mode::kDirectRouting;
  std::string scheduler = "wrr";
  Refuse on_no_server = Refuse::kAnswer;
  OnServerDown on_server_down = OnServerDown::kKeep;
  bool sloppy_tcp = false;
  // Those that are configured, by LVS's name of the state in lower case ("established"); the others
  // keep their defaults.
  std::map<std::string, std::chrono::seconds, std::less<>> timeouts;
  healthcheck::CheckSettings check;  // what servers inherit; its port is 0 unless configured
  std::vector<ServerSettings> servers;
  // Servers that have to be able to take connections for [[vrrp]] to count the service as up.
  uint32_t quorum = 1;
  std::vector<IpAddress> local_addresses;  // of mode fullnat, each once
  TunnelSettings tunnel;                   // of mode tun
  uint16_t mss = 0;                        // the largest that SYNs may announce; 0: as they do
  bool mss_auto = false;                   // what fits the way to the server; then mss is 0
  bool one_packet = false;                 // every UDP datagram is scheduled by itself

  friend bool operator==(const ServiceSettings&, const ServiceSettings&) = default;
};

struct VipSettings {  // key: address
  IpAddress address;
  bool ping = true;

  friend bool operator==(const VipSettings&, const VipSettings&) = default;
};

// What servers of mode nat route through, and what is forwarded beside their connections.
struct NatSettings {
  std::vector<IpAddress> gateways;
  // What is from or to these, and of no connection, goes to the kernel, which may route it.
  std::vector<Prefix> routed_networks;

  friend bool operator==(const NatSettings&, const NatSettings&) = default;
};

struct Configuration {
  DaemonSettings daemon;
  NatSettings nat;
  std::vector<InterfaceSettings> interfaces;
  std::vector<VipSettings> vips;  // those with settings of their own; see held_addresses
  std::vector<ServiceSettings> services;
  std::vector<VrrpSettings> vrrp;  // none: this node always holds its VIPs

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// What the dataplane answers for an address for.
enum class AddressUse : uint8_t {
  kServices,  // a VIP
  kGateway,   // servers of mode nat route through it
  kLocal,     // stands in the clients' place in mode fullnat
};

std::string_view name_of(AddressUse use);  // "VIP", "gateway", "local address"

struct HeldAddress {
  IpAddress address;
  AddressUse use = AddressUse::kServices;
  bool ping = true;

  friend bool operator==(const HeldAddress&, const HeldAddress&) = default;
};

// Every address that the dataplane answers for: VIPs, because a [[vip]] names them, a service
// listens on them, or a [[vrrp]] moves them; gateways; local addresses. Sorted by address.
std::vector<HeldAddress> held_addresses(const Configuration& configuration);

}  // namespace ballast::control
