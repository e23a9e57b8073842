// What is forwarded to whom: a virtual service, its listeners, its pools of real servers.
//
// These are immutable values inside a forwarding snapshot (forwarding_snapshot.h). The main thread
// builds them, workers read them; nothing here is ever changed in place.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/connection/timeouts.h"
#include "dataplane/connection/translation.h"
#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/rewrite/ip_tunnel.h"
#include "dataplane/scheduler/scheduler.h"

namespace ballast {

enum class ForwardingMode : uint8_t { kDirectRouting, kNat, kFullNat, kTunnel };

// What a packet gets that cannot be served: TCP reset (or ICMP port unreachable for UDP), or
// nothing.
enum class RefuseAction : uint8_t { kAnswer, kDrop };

// What happens to the connections of a server that is removed or disabled.
enum class OnServerDown : uint8_t { kKeep, kReset, kReschedule };

// The servers of one family of a service, and the scheduler built over those that may take new
// connections.
struct Pool {
  PoolIndex index;  // stable: subscript of the workers' scheduler cursors
  std::shared_ptr<const Scheduler> scheduler;  // over zero or more servers
  // Those, for whoever must try one after the other; null: none.
  std::shared_ptr<const std::vector<ServerIndex>> servers;
};

// One "tcp/192.0.2.10:80" of a service.
struct Listener {
  IpAddress vip;
  Big16 port;
  IpProtocol protocol;

  friend bool operator==(const Listener&, const Listener&) = default;
};

struct VirtualService {
  std::string name;
  ForwardingMode mode = ForwardingMode::kDirectRouting;
  RefuseAction on_no_server = RefuseAction::kAnswer;
  OnServerDown on_server_down = OnServerDown::kKeep;
  bool sloppy_tcp = false;  // a connection may begin with any segment, not with SYN alone
  bool one_packet = false;  // UDP: every datagram is scheduled by itself
  Timeouts timeouts;
  Pool ipv4;  // for clients of that family; in TUN, servers of both families are in both, under one
              // scheduler
  Pool ipv6;
  // FULLNAT: what stands in the clients' place.
  std::vector<LocalAddressIndex> local_ipv4;
  std::vector<LocalAddressIndex> local_ipv6;
  std::vector<Listener> listeners;  // of a service that is removed: where it listened last

  [[nodiscard]] const Pool& pool(Family family) const {
    return family == Family::kIpv4 ? ipv4 : ipv6;
  }
  [[nodiscard]] const std::vector<LocalAddressIndex>& local_addresses(Family family) const {
    return family == Family::kIpv4 ? local_ipv4 : local_ipv6;
  }
};

// The way into a server's tunnel. The outer source is one of `sources` addresses from
// `first_source` on, chosen by the flow; none while the node has no address to send from.
struct ServerTunnel {
  TunnelHeader header;
  IpAddress first_source;
  uint32_t sources = 0;
};

// What a worker needs of a real server while it forwards; found by ServerIndex.
struct RealServer {
  IpAddress address;
  Big16 port;                        // 0: the port of the connection, as DR and TUN have it
  bool accepts_connections = false;  // false: removed or disabled, what is left is being ended
  // Part of what the index stands for: a service that changes its mode has other servers.
  ForwardingMode mode = ForwardingMode::kDirectRouting;
  PortIndex out_port{};  // of the next hop
  // What SYNs of IPv4 and IPv6 connections announce at the most; 0: as they do.
  uint16_t mss_ipv4 = 0;
  uint16_t mss_ipv6 = 0;
  NeighborIndex next_hop = kNoNeighbor;     // kNoNeighbor: no route
  const VirtualService* service = nullptr;  // of the same snapshot; null: the index is free
  const ServerTunnel* tunnel = nullptr;     // of the same snapshot; TUN only

  [[nodiscard]] uint16_t mss(Family family) const {
    return family == Family::kIpv4 ? mss_ipv4 : mss_ipv6;
  }
};

}  // namespace ballast
