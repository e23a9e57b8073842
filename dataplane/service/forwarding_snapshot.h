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
#include "dataplane/service/service_table.h"
#include "dataplane/service/virtual_service.h"

namespace ballast {

// A device port as the packet path sees it.
struct PortState {
  MacAddress mac;
  uint16_t mtu = 1500;  // of the IP packet
  bool up = false;
};

struct ForwardingSnapshot {
  uint64_t generation = 0;  // of the transaction that made it; 0: nothing configured yet
  std::shared_ptr<const AddressTable> addresses;  // VIPs and the node's own addresses
  std::shared_ptr<const ServiceTable> listeners;  // (protocol, VIP, port) -> service
  std::vector<std::shared_ptr<const VirtualService>> services;
  std::vector<RealServer> servers;  // by ServerIndex
  std::shared_ptr<const RouteTable> routes;
  std::vector<PortState> ports;  // by PortIndex
  size_t lease_slots = 1;        // slots of the lease page that VIPs refer to: 0..n-1
  RefuseAction on_no_service = RefuseAction::kAnswer;
};

}  // namespace ballast
