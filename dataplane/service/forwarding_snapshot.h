// The immutable root of all that workers know about what to forward.
//
// The main thread builds a new snapshot for every accepted transaction (dataplane/world/),
// publishes it by swapping one pointer, and frees the old one after every worker has passed a
// quiescent state (dataplane/dpdk/). What a change does not touch is shared between the old and the
// new one by pointer.
//
// Neighbours are not in here: their MACs change in place, in NeighborTable, by index.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/neighbor/route_table.h"
#include "dataplane/packet/address.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/service/address_table.h"
#include "dataplane/service/client_hops.h"
#include "dataplane/service/reply_sources.h"
#include "dataplane/service/service_table.h"
#include "dataplane/service/virtual_service.h"

namespace ballast {

// A device port as the packet path sees it.
struct PortState {
  MacAddress mac;
  uint16_t mtu = 1500;  // of the IP packet
  bool up = false;
  // The node's own addresses on the twin, of each family: what ICMP errors and tunnels come from.
  // Zero: there is none.
  IpAddress ipv4{};
  IpAddress ipv6{};

  [[nodiscard]] const IpAddress& address(Family family) const {
    return family == Family::kIpv4 ? ipv4 : ipv6;
  }
};

struct ForwardingSnapshot {
  // Another one for each snapshot that a process builds; 0: nobody counted. What was found out by
  // one snapshot holds as long as this is the same (its address may come again).
  uint64_t serial = 0;
  uint64_t generation = 0;  // of the transaction that made it; 0: nothing configured yet
  std::shared_ptr<const AddressTable> addresses;  // VIPs and the node's own addresses
  std::shared_ptr<const ServiceTable> listeners;  // (protocol, VIP, port) -> service
  // Those listeners whose flows a worker owns by the client alone (NAT); also of services that are
  // gone, while their connections may be there.
  std::shared_ptr<const ServiceTable> steered_by_client = std::make_shared<const ServiceTable>();
  // Those of which connections may be left that are owned by the other of the two rules: their
  // service was, or was not, NAT.
  std::shared_ptr<const ServiceTable> steered_anew = std::make_shared<const ServiceTable>();
  std::vector<std::shared_ptr<const VirtualService>> services;
  std::vector<RealServer> servers;  // by ServerIndex
  // What RealServer::tunnel points to: by ServerIndex, null but for TUN, and as long as that takes.
  std::vector<std::shared_ptr<const ServerTunnel>> tunnels;
  // FULLNAT: by LocalAddressIndex; an address keeps its index for good.
  std::shared_ptr<const std::vector<IpAddress>> local_addresses;
  std::shared_ptr<const ReplySources> reply_sources;  // NAT's servers
  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<const ClientHops> client_hops;
  // Grows whenever `routes`, `client_hops` or a port may lead a client's packets elsewhere; never
  // 0.
  uint32_t hop_generation = 1;
  std::vector<PortState> ports;  // by PortIndex
  // What is from or to these networks, and no connection's, is passed on to the kernel, as a router
  // would take it: sorted, none inside another.
  std::vector<Prefix> routed_networks;
  size_t lease_slots = 1;  // slots of the lease page that VIPs refer to: 0..n-1
  RefuseAction on_no_service = RefuseAction::kAnswer;
};

}  // namespace ballast
