// What the balancer is configured to do and what its surroundings are like, as one value: the
// dataplane is told by a transaction of the contract, the model reads it as it is.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast::model {

enum class Mode : uint8_t { kDr, kNat, kFullNat, kTun };
enum class Use : uint8_t { kServices, kGateway, kLocal };
enum class OnDown : uint8_t { kKeep, kReset, kReschedule };
enum class Wrapping : uint8_t { kIpip, kGre, kGue };
enum class Known : uint8_t { kUnknown, kReachable, kFailed };

[[nodiscard]] const char* name_of(Mode mode);

struct ServerSetup {
  IpAddress address;
  uint16_t port = 0;    // 0: that of the connection
  uint16_t weight = 1;  // 0 takes no new connections
  bool disabled = false;

  friend bool operator==(const ServerSetup&, const ServerSetup&) = default;
};

struct ListenerSetup {
  uint8_t protocol = 6;
  IpAddress vip;
  uint16_t port = 0;

  friend bool operator==(const ListenerSetup&, const ListenerSetup&) = default;
};

struct ServiceSetup {
  std::string name;
  Mode mode = Mode::kDr;
  std::string scheduler = "rr";
  std::vector<ListenerSetup> listeners;
  std::vector<ServerSetup> servers;
  bool answers = true;  // a packet that cannot be served
  OnDown on_down = OnDown::kKeep;
  bool sloppy = false;
  bool one_packet = false;
  std::map<std::string, uint32_t> timeouts;  // by state
  std::vector<IpAddress> local_addresses;    // FULLNAT
  Wrapping wrapping = Wrapping::kIpip;       // TUN, as what follows
  std::optional<Prefix> sources_v4;
  std::optional<Prefix> sources_v6;
  uint16_t mss = 0;
  bool mss_auto = false;

  [[nodiscard]] bool hashes() const { return scheduler == "mh"; }
};

struct AddressSetup {
  IpAddress address;
  Use use = Use::kServices;
  uint8_t slot = 0;
  MacAddress virtual_mac;
  bool answers_ping = true;
};

struct PortSetup {
  std::string name;
  MacAddress mac;
  uint16_t mtu = 1500;
  bool up = true;
  std::vector<IpAddress> addresses;  // the node's own
};

struct RouteSetup {
  Prefix prefix;
  PortIndex port{};
  std::optional<IpAddress> gateway;
};

struct NeighborSetup {
  PortIndex port{};
  IpAddress address;
  MacAddress mac;
  Known state = Known::kReachable;
};

struct Setup {
  std::vector<PortSetup> ports;
  std::vector<AddressSetup> addresses;
  std::vector<ServiceSetup> services;
  std::vector<RouteSetup> routes;
  std::vector<NeighborSetup> neighbors;
  std::vector<Prefix> routed_networks;
  bool answers_no_service = true;

  [[nodiscard]] const ServiceSetup* service(const std::string& name) const;
  [[nodiscard]] const ServiceSetup* listening(uint8_t protocol, const IpAddress& vip,
                                              uint16_t port) const;
  [[nodiscard]] const AddressSetup* address(const IpAddress& address) const;
  [[nodiscard]] bool is_node(const IpAddress& address) const;
  // The node's own address on a port, of a family: the first of them.
  [[nodiscard]] std::optional<IpAddress> own(PortIndex port, Family family) const;

  struct Hop {
    PortIndex port{};
    IpAddress address;
    bool gateway = false;
  };
  // By the longest prefix; nothing when there is no route.
  [[nodiscard]] std::optional<Hop> hop_to(const IpAddress& destination) const;
  [[nodiscard]] const NeighborSetup* neighbor(PortIndex port, const IpAddress& address) const;
};

}  // namespace ballast::model
