// What the kernel knows of links, addresses, routes and neighbours, as plain values, and what of it
// concerns the dataplane.
//
// Theory of operation. The mirror (mirror.h) keeps one KernelState equal to the kernel's.
// Everything in it refers to links by the kernel's index, because an index never changes while a
// link lives, but a name may. What leaves this folder (effective routes, addresses and neighbours
// of a twin) refers to links by name, as the dataplane's ports do.
//
// Routes are those of the main table (254), for IPv4 and IPv6, of the types unicast, unreachable,
// blackhole and prohibit. Not kept: other tables, local, broadcast, multicast and cached (cloned)
// routes, routes with a TOS, and the IPv6 link-local prefix fe80::/10, which is the same on every
// link and thus cannot be told apart by a route table.
//
// The kernel does not announce that a hop became dead or lost its carrier, nor that it lives again;
// so no such flag is stored. Whether a hop can be used follows from the state of its link.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/packet/address.h"

namespace ballast::netlink {

struct Link {
  int index = 0;
  std::string name{};
  MacAddress mac{};  // zero for links without Ethernet addresses
  uint32_t mtu = 0;
  bool admin_up = false;
  bool carrier = false;
  bool up = false;  // both

  friend bool operator==(const Link&, const Link&) = default;
};

struct AddressKey {
  int link = 0;
  IpAddress address;
  uint8_t prefix_length = 0;

  friend auto operator<=>(const AddressKey&, const AddressKey&) = default;
};

struct KernelAddress {
  std::optional<IpAddress> peer{};  // of a point-to-point address
  uint8_t scope = 0;
  uint8_t protocol = 0;          // who put it there (IFA_PROTO), 0 when not said
  bool permanent = false;        // has no lifetime: not from DHCP or a router advertisement
  bool no_prefix_route = false;  // IFA_F_NOPREFIXROUTE

  friend bool operator==(const KernelAddress&, const KernelAddress&) = default;
};

enum class RouteKind : uint8_t { kUnicast, kUnreachable, kBlackhole, kProhibit };

struct KernelHop {
  int link = 0;
  std::optional<IpAddress> gateway{};  // none: the destination itself is the neighbour; may be of
                                       // the other family (RFC 8950)
  uint32_t weight = 1;
  bool on_link = false;  // the gateway need not be in a connected prefix

  friend bool operator==(const KernelHop&, const KernelHop&) = default;
};

struct RouteKey {
  Prefix prefix;
  uint32_t metric = 0;

  friend auto operator<=>(const RouteKey&, const RouteKey&) = default;
};

struct KernelRoute {
  RouteKind kind = RouteKind::kUnicast;
  uint8_t protocol = 0;  // RTPROT_*: who put it there
  uint8_t scope = 0;
  std::optional<IpAddress> preferred_source{};
  std::vector<KernelHop> hops{};  // empty unless kUnicast

  friend bool operator==(const KernelRoute&, const KernelRoute&) = default;
};

struct NeighborKey {
  int link = 0;
  IpAddress address;

  friend auto operator<=>(const NeighborKey&, const NeighborKey&) = default;
};

enum class NeighborState : uint8_t {
  kUnknown,  // the kernel is asking, or has not asked yet
  kKnown,    // has a MAC: REACHABLE, STALE, DELAY, PROBE, PERMANENT, NOARP
  kFailed,   // was asked and did not answer
};

struct KernelNeighbor {
  MacAddress mac{};  // zero unless kKnown
  NeighborState state = NeighborState::kUnknown;
  bool stale = false;  // known, but not confirmed lately: nobody would notice that it is gone

  friend bool operator==(const KernelNeighbor&, const KernelNeighbor&) = default;
};

struct KernelState {
  std::map<int, Link> links;
  std::map<AddressKey, KernelAddress> addresses;
  // In order of prefix, then metric: the first of a prefix is its best. IPv4 allows several routes
  // with one key
  // ("ip route append"); the first one is in force.
  std::map<RouteKey, std::vector<KernelRoute>> routes;
  std::map<NeighborKey, KernelNeighbor> neighbors;

  [[nodiscard]] const Link* link(int index) const;
  [[nodiscard]] const Link* link_named(std::string_view name) const;

  friend bool operator==(const KernelState&, const KernelState&) = default;
};

// What differs from the state at the last report.
struct KernelChanges {
  bool everything = false;  // the first report: the sets below are not filled
  bool links = false;
  bool addresses = false;
  std::set<NeighborKey> neighbors;
  std::set<Prefix> routes;
  // Links that were administratively down or absent at some time since the last report, even if
  // they are up again: the kernel has taken their routes and IPv6 addresses away.
  std::set<std::string> went_down;

  [[nodiscard]] bool empty() const;
};

// ---------------------------------------------------------------- what concerns the dataplane

struct InterfaceAddress {
  std::string link;
  IpAddress address;
  uint8_t prefix_length = 0;

  friend auto operator<=>(const InterfaceAddress&, const InterfaceAddress&) = default;
};

struct RouteHop {
  std::string link;
  std::optional<IpAddress> gateway{};
  uint32_t weight = 1;

  friend bool operator==(const RouteHop&, const RouteHop&) = default;
};

struct EffectiveRoute {
  uint32_t metric = 0;
  std::vector<RouteHop> hops;  // none: unreachable
  RouteKind kind = RouteKind::kUnicast;

  friend bool operator==(const EffectiveRoute&, const EffectiveRoute&) = default;
};

// The route that the dataplane has to follow for exactly this prefix: of the routes that have a hop
// over a twin that is up (or that are unreachable, blackhole or prohibit), the one with the best
// metric, with only those hops. None: a shorter prefix decides.
std::optional<EffectiveRoute> effective_route(const KernelState& state,
                                              const std::set<std::string>& twins,
                                              const Prefix& prefix);

// effective_route() for every prefix.
std::map<Prefix, EffectiveRoute> effective_routes(const KernelState& state,
                                                  const std::set<std::string>& twins);

// The node's own addresses on these links, in order.
std::vector<InterfaceAddress> addresses_of(const KernelState& state,
                                           const std::set<std::string>& links);

}  // namespace ballast::netlink
