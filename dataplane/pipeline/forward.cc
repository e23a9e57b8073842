// Flows: the connection, its server, the way there.
#include <algorithm>

#include "dataplane/connection/tcp_tracker.h"
#include "dataplane/packet/wire.h"
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/rewrite/direct_routing.h"

namespace ballast {
namespace {

// The parser has seen that it is there.
const TcpHeader& tcp_of(const Packet& packet, const ParsedPacket& parsed) {
  return *packet.view().header_at<TcpHeader>(parsed.transport_offset);
}

// Opens a connection, or opens it anew: SYN without ACK.
bool is_first_segment(const ParsedPacket& parsed) {
  return (parsed.tcp_flags & (kSyn | kAck)) == kSyn;
}

// What the client's next segment begins with at the least: behind a SYN, which takes one number; at
// the same one after a segment from the midst of a connection, which may have been empty.
uint32_t next_sequence(const Packet& packet, const ParsedPacket& parsed) {
  return tcp_of(packet, parsed).sequence.to_host() + (is_first_segment(parsed) ? 1 : 0);
}

// Whether a flow's server can be told from the flow alone, without an entry in the table, here as
// on another node.
bool follows_from_flow(const VirtualService& service, Family family) {
  return (service.mode == ForwardingMode::kDirectRouting ||
          service.mode == ForwardingMode::kTunnel) &&
         service.pool(family).scheduler->hashes();
}

// Whether a segment of no known connection gets a server.
bool may_begin(const ParsedPacket& parsed, const VirtualService& service, bool needs_no_state) {
  if ((parsed.tcp_flags & kRst) != 0) {
    return needs_no_state;
  }
  const bool from_the_midst = (parsed.tcp_flags & (kSyn | kAck)) == kAck;
  return is_first_segment(parsed) || service.sloppy_tcp || (needs_no_state && from_the_midst);
}

}  // namespace

void Pipeline::forward(Packet& packet, Slot& slot) {
  Connection* connection = connections_.find(slot.key, slot.probe);
  ServerIndex server = kNoServer;
  if (connection != nullptr && goes_on_as_it_is(*connection, slot.parsed)) [[likely]] {
    connection->last_seen = now_;
    server = connection->server;
  } else {
    server = change(packet, slot, connection);
    if (server == kNoServer) {
      return;
    }
  }
  send_to_server(packet, slot, server);
}

// Whether nothing but the time of its last packet changes: nearly all packets.
bool Pipeline::goes_on_as_it_is(const Connection& connection, const ParsedPacket& parsed) const {
  return parsed.kind == PacketKind::kTransport && connection.trusted &&
         keeps_state(connection.state, parsed.tcp_flags) &&
         server_of(connection).accepts_connections;
}

// The packet's server, after what it changes in its connection, which is opened if it has to be;
// kNoServer with the packet decided.
ServerIndex Pipeline::change(Packet& packet, Slot& slot, Connection* connection) {
  if (slot.parsed.kind == PacketKind::kIcmpError) {
    // It goes where the connection goes, and keeps none alive.
    const ServerIndex server =
        connection != nullptr ? connection->server : server_of_unknown_flow(slot);
    if (server == kNoServer) {
      drop(packet, DropReason::kIcmpUnmatched);
    }
    return server;
  }
  if (connection != nullptr && is_closing(connection->state) && is_first_segment(slot.parsed)) {
    // A client that uses its port again is a new connection, to be scheduled anew.
    connections_.remove(*connection);
    connection = nullptr;
  }
  if (connection == nullptr) {
    return open(packet, slot);
  }
  if (const RealServer& server = server_of(*connection); !server.accepts_connections) {
    const OnServerDown action =
        server.service != nullptr ? server.service->on_server_down : OnServerDown::kReset;
    if (action != OnServerDown::kKeep) {
      return leave_server(packet, slot, *connection, action);
    }
  }
  connection->last_seen = now_;
  if (connection->key.protocol == IpProtocol::kTcp) {
    track_tcp(packet, slot.parsed, *connection);
  } else if (!connection->trusted) {
    connections_.trust(*connection, now_);
  }
  return connection->server;
}

const VirtualService* Pipeline::service_of(const FlowKey& flow) const {
  const ServiceTable::Entry* listener =
      snapshot_->listeners->find({flow.vip, flow.vip_port, flow.protocol});
  return listener != nullptr ? snapshot_->services[listener->service].get() : nullptr;
}

// Without an entry; kNoServer unless the flow alone says it.
ServerIndex Pipeline::server_of_unknown_flow(const Slot& slot) {
  const VirtualService* service = service_of(slot.key);
  if (service == nullptr || !follows_from_flow(*service, slot.parsed.family)) {
    return kNoServer;
  }
  return pick(service->pool(slot.parsed.family), slot.key);
}

// The server of a flow without a connection, which gets one; kNoServer with the packet decided.
ServerIndex Pipeline::open(Packet& packet, Slot& slot) {
  const ParsedPacket& parsed = slot.parsed;
  const VirtualService* service = service_of(slot.key);
  if (service == nullptr) {
    refuse(packet, slot, DropReason::kNoService, snapshot_->on_no_service);
    return kNoServer;
  }
  const bool needs_no_state = follows_from_flow(*service, parsed.family);
  if (parsed.protocol == IpProtocol::kTcp && !may_begin(parsed, *service, needs_no_state)) {
    refuse(packet, slot, DropReason::kNotSyn, service->on_no_server);
    return kNoServer;
  }
  const ServerIndex server = pick(service->pool(parsed.family), slot.key);
  if (server == kNoServer) {
    refuse(packet, slot, DropReason::kNoUsableServer, service->on_no_server);
    return kNoServer;
  }
  if ((parsed.tcp_flags & kRst) != 0) {
    return server;
  }
  if (Connection* connection = connections_.insert(slot.key, slot.probe, now_)) {
    enter(packet, parsed, *connection, server);
    return server;
  }
  if (!needs_no_state) {
    drop(packet, DropReason::kUntrustedQuota);
    return kNoServer;
  }
  around_.counters.forwarded_without_state.add(1);
  return server;
}

// Fills a new entry in.
void Pipeline::enter(const Packet& packet, const ParsedPacket& parsed, Connection& connection,
                     ServerIndex server) {
  connection.server = server;
  connection.last_seen = now_;
  connection.state = ConnectionState::kUdp;
  if (parsed.protocol == IpProtocol::kTcp) {
    connection.state =
        next_tcp_state(ConnectionState::kNone, parsed.tcp_flags, TcpDirection::kFromClientOnly);
    connection.next_sequence = next_sequence(packet, parsed);
  }
  ServerCounters& counters = around_.servers[server];
  counters.connections.add(1);
  (is_active(connection.state) ? counters.active : counters.inactive).add(1);
  connections_.arm(connection, now_);
}

// Its server is removed or disabled: another one, or kNoServer with the packet refused.
ServerIndex Pipeline::leave_server(Packet& packet, Slot& slot, Connection& connection,
                                   OnServerDown action) {
  connections_.remove(connection);
  if (action == OnServerDown::kReschedule) {
    return open(packet, slot);
  }
  refuse(packet, slot, DropReason::kServerGone, RefuseAction::kAnswer);
  return kNoServer;
}

void Pipeline::track_tcp(const Packet& packet, const ParsedPacket& parsed, Connection& connection) {
  if (is_first_segment(parsed) && !connection.trusted) {
    // The client sends its SYN again, or another one.
    connection.next_sequence = next_sequence(packet, parsed);
  }
  const ConnectionState next =
      next_tcp_state(connection.state, parsed.tcp_flags, TcpDirection::kFromClientOnly);
  if (!connection.trusted && (parsed.tcp_flags & kSyn) == 0 &&
      continues_client_half(connection.next_sequence, tcp_of(packet, parsed).sequence.to_host())) {
    connections_.trust(connection, now_);
  }
  if (next != connection.state) {
    set_state(connection, next);
  }
}

void Pipeline::set_state(Connection& connection, ConnectionState state) {
  const bool was_active = is_active(connection.state);
  const bool now_active = is_active(state);
  connection.state = state;
  if (was_active != now_active) {
    ServerCounters& counters = around_.servers[connection.server];
    (was_active ? counters.active : counters.inactive).subtract(1);
    (now_active ? counters.active : counters.inactive).add(1);
  }
  connections_.arm(connection, now_);
}

void Pipeline::send_to_server(Packet& packet, const Slot& slot, ServerIndex server_index) {
  const RealServer& server = snapshot_->servers[index(server_index)];
  const PortState& port = snapshot_->ports[index(server.out_port)];
  const Neighbor neighbor = around_.neighbors.get(server.next_hop);
  if (neighbor.state != NeighborState::kReachable || !port.up ||
      slot.parsed.network_length > port.mtu) [[unlikely]] {
    return send_with_care(packet, slot, server_index);
  }
  around_.servers[server_index].count_in(slot.parsed.network_length);
  rewrite_direct_routing(packet.view(), port.mac, neighbor.mac);
  packet.out_port = server.out_port;
  packet.verdict = Verdict::kTransmit;
}

// Where something is in the way: no route, too long a packet, no MAC, no link.
void Pipeline::send_with_care(Packet& packet, const Slot& slot, ServerIndex server_index) {
  const RealServer& server = snapshot_->servers[index(server_index)];
  if (server.next_hop == kNoNeighbor) {
    return drop(packet, DropReason::kNoRoute);
  }
  const PortState& port = snapshot_->ports[index(server.out_port)];
  if (slot.parsed.network_length > port.mtu) {
    return refuse_too_big(packet, slot, port.mtu);
  }
  around_.servers[server_index].count_in(slot.parsed.network_length);
  packet.out_port = server.out_port;
  const Neighbor neighbor = around_.neighbors.get(server.next_hop);
  if (neighbor.state != NeighborState::kReachable) {
    around_.requests.need(server.next_hop, now_ns_);  // one that failed may have come back
  }
  if (neighbor.state != NeighborState::kUnknown || !port.up) {
    return deliver(packet, neighbor);
  }
  if (!waiting_.admit(packet, server.next_hop, now_ns_)) {
    return drop(packet, DropReason::kNeighborQueueFull);
  }
  around_.counters.waiting.set(waiting_.size());
  packet.verdict = Verdict::kHold;
}

// To the next hop on the packet's `out_port`, as far as it can be had. A packet waits for an
// unknown one no longer when it comes here.
void Pipeline::deliver(Packet& packet, const Neighbor& neighbor) {
  const PortState& port = snapshot_->ports[index(packet.out_port)];
  if (!port.up) {
    return drop(packet, DropReason::kPortDown);
  }
  switch (neighbor.state) {
    case NeighborState::kReachable:
      rewrite_direct_routing(packet.view(), port.mac, neighbor.mac);
      packet.verdict = Verdict::kTransmit;
      return;
    case NeighborState::kUnknown:
      return drop(packet, DropReason::kNeighborTimeout);
    case NeighborState::kFailed:
      return drop(packet, DropReason::kNeighborFailed);
    case NeighborState::kOurs:
      return drop(packet, DropReason::kNextHopOurs);
  }
}

uint32_t Pipeline::timeout_of(const Connection& connection) const {
  static constexpr Timeouts kDefaults;
  const VirtualService* service = snapshot_->servers[index(connection.server)].service;
  const Timeouts& timeouts = service != nullptr ? service->timeouts : kDefaults;
  const uint32_t seconds = timeouts.of(connection.state);
  // Anyone can open established connections where a segment from the midst of one is enough. They
  // must not outlast what other clients open with a SYN, which would be recycled in their place;
  // and a connection that can do without its entry loses nothing.
  if (connection.state == ConnectionState::kEstablished && !connection.trusted &&
      service != nullptr && follows_from_flow(*service, connection.key.vip.family())) {
    return std::min(seconds, timeouts.of(ConnectionState::kSynReceived));
  }
  return seconds;
}

void Pipeline::on_connection_end(const Connection& connection, ConnectionEnd end) {
  ServerCounters& server = around_.servers[connection.server];
  (is_active(connection.state) ? server.active : server.inactive).subtract(1);
  server.ended.add(1);
  WorkerCounters& counters = around_.counters;
  switch (end) {
    case ConnectionEnd::kExpired:
      return counters.expired.add(1);
    case ConnectionEnd::kRecycledUntrusted:
      return counters.recycled.add(1);
    case ConnectionEnd::kEvictedClosing:
      return counters.evicted.add(1);
    case ConnectionEnd::kRemoved:
      return;
  }
}

}  // namespace ballast
