// Packets from clients: the connection, its server, the short way there.
#include <algorithm>

#include "dataplane/pipeline/pipeline.h"
#include "dataplane/pipeline/segment.h"
#include "dataplane/rewrite/direct_routing.h"
#include "dataplane/rewrite/mss_clamp.h"
#include "dataplane/rewrite/nat.h"

namespace ballast {

// A packet with ports that belongs to a connection, in NAT and FULLNAT; all others go the long way.
[[gnu::always_inline]] inline bool Pipeline::translate_flow(Packet& packet, Slot& slot,
                                                            const RealServer& server,
                                                            Connection* connection) {
  const ParsedPacket& parsed = slot.parsed;
  if (connection == nullptr || parsed.kind != PacketKind::kTransport) [[unlikely]] {
    return rewrite_to_server(packet, slot, server, connection);
  }
  if (parsed.protocol == IpProtocol::kTcp) {
    follow_client(packet, parsed, *connection);
  }
  const EndpointView endpoint(server.address, port_of(server, slot.flow()));
  if (server.mode == ForwardingMode::kNat) {
    return was_rewritten(packet, slot, rewrite_nat_in(packet.view(), parsed, endpoint));
  }
  const LocalEndpoint& taken = translations_->of(*connection).local;
  const EndpointView local((*snapshot_->local_addresses)[index(taken.address)], taken.port);
  return was_rewritten(packet, slot, rewrite_full_nat(packet.view(), parsed, local, endpoint));
}

// Inlined by force into both kinds of forward().
template <Pipeline::Replies kReplies>
[[gnu::always_inline]] inline void Pipeline::send_to_server(Packet& packet, Slot& slot,
                                                            ServerIndex server_index,
                                                            Connection* connection) {
  const RealServer& server = snapshot_->servers[index(server_index)];
  const PortState& port = snapshot_->ports[index(server.out_port)];
  const Neighbor neighbor = around_.neighbors.get(server.next_hop);
  if (neighbor.state != NeighborState::kReachable || !port.up ||
      slot.parsed.network_length > port.mtu) [[unlikely]] {
    return send_with_care(packet, slot, server_index, connection);
  }
  if (server.mode == ForwardingMode::kTunnel) {
    if (!enter_tunnel(packet, slot, server)) {
      return;
    }
  } else if (server.mode != ForwardingMode::kDirectRouting) {
    const bool done = kReplies == Replies::kSome
                          ? translate_flow(packet, slot, server, connection)
                          : rewrite_to_server(packet, slot, server, connection);
    if (!done) {
      return;
    }
  }
  around_.servers[server_index].count_in(slot.parsed.network_length);
  rewrite_direct_routing(packet.view(), port.mac, neighbor.mac);
  packet.out_port = server.out_port;
  packet.verdict = Verdict::kTransmit;
}

template <Pipeline::Replies kReplies>
void Pipeline::forward(Packet& packet, Slot& slot) {
  if constexpr (kReplies == Replies::kSome) {
    if (slot.from == Side::kServer) {
      return forward_reply(packet, slot);
    }
  }
  Connection* connection = connections_.find(slot.flow(), slot.probe);
  ServerIndex server = kNoServer;
  if (connection != nullptr && goes_on_as_it_is(*connection, slot.parsed)) [[likely]] {
    if constexpr (kReplies == Replies::kNone) {
      connection->last_seen = now_;
    } else if (connection->last_seen != now_ || connection->client_unseen) {
      note_seen_by_client(packet, *connection);
    }
    server = connection->server;
  } else {
    server = change(packet, slot, connection);
    if (server == kNoServer) {
      return;
    }
    limit_segments(packet, slot.parsed, server);
  }
  send_to_server<kReplies>(packet, slot, server, connection);
}

template void Pipeline::forward<Pipeline::Replies::kNone>(Packet& packet, Slot& slot);
template void Pipeline::forward<Pipeline::Replies::kSome>(Packet& packet, Slot& slot);

// What a SYN says of the segments that may be sent to the client.
void Pipeline::limit_segments(const Packet& packet, const ParsedPacket& parsed,
                              ServerIndex server) {
  const uint16_t mss = snapshot_->servers[index(server)].mss(parsed.family);
  if (mss != 0 && is_segment(parsed) && (parsed.tcp_flags & kSyn) != 0) {
    clamp_mss(packet.view(), parsed, mss);
  }
}

// Whether nothing but the time of its last packet changes: nearly all packets.
bool Pipeline::goes_on_as_it_is(const Connection& connection, const ParsedPacket& parsed) const {
  return parsed.kind == PacketKind::kTransport && connection.trusted &&
         keeps_state(connection.state, parsed.tcp_flags) &&
         server_of(connection).accepts_connections;
}

// The packet's server, after what it changes in its connection, which is opened if it has to be;
// kNoServer with the packet decided. `connection` is what is there afterwards; null: the packet
// goes without.
ServerIndex Pipeline::change(Packet& packet, Slot& slot, Connection*& connection) {
  const ParsedPacket& parsed = slot.parsed;
  if (parsed.kind == PacketKind::kIcmpError) {
    return server_for_icmp_error(packet, slot, connection);
  }
  if (connection != nullptr && is_closing(connection->state) && is_segment(parsed) &&
      is_first_segment(parsed)) {
    // A client that uses its port again is a new connection, to be scheduled anew.
    connections_.remove(*connection);
    connection = nullptr;
  }
  if (connection == nullptr) {
    return open(packet, slot, connection);
  }
  const RealServer& server = server_of(*connection);
  if (!server.accepts_connections) {
    const OnServerDown action =
        server.service != nullptr ? server.service->on_server_down : OnServerDown::kReset;
    if (action != OnServerDown::kKeep) {
      return leave_server(packet, slot, connection, action);
    }
  }
  note_seen_by_client(packet, *connection);
  if (is_segment(parsed)) {
    track_client(packet, parsed, *connection);
  } else if (!connection->trusted && parsed.kind == PacketKind::kTransport) {
    connections_.trust(*connection, now_);
  }
  return connection->server;
}

// It goes where the connection goes, and keeps none alive.
ServerIndex Pipeline::server_for_icmp_error(Packet& packet, Slot& slot,
                                            const Connection* connection) {
  if (connection == nullptr && asks_another_owner(packet, slot, slot.flow())) {
    return kNoServer;
  }
  const ServerIndex server =
      connection != nullptr ? connection->server : server_of_unknown_flow(slot);
  if (server == kNoServer) {
    drop(packet, DropReason::kIcmpUnmatched);
  } else if (connection != nullptr && connection->translated &&
             !quotes_server_plausibly(packet, slot.parsed, *connection)) {
    drop(packet, DropReason::kIcmpSequence);
    return kNoServer;
  }
  return server;
}

// Its server is removed or disabled: another one, or kNoServer with the packet refused.
ServerIndex Pipeline::leave_server(Packet& packet, Slot& slot, Connection*& connection,
                                   OnServerDown action) {
  connections_.remove(*connection);
  connection = nullptr;
  if (action == OnServerDown::kReschedule) {
    return open(packet, slot, connection);
  }
  refuse(packet, slot, DropReason::kServerGone, RefuseAction::kAnswer);
  return kNoServer;
}

void Pipeline::track_client(const Packet& packet, const ParsedPacket& parsed,
                            Connection& connection) {
  if (is_first_segment(parsed) && !connection.trusted) {
    // The client sends its SYN again, or another one.
    connection.next_sequence = first_sequence(packet, parsed);
  }
  const ConnectionState next = next_tcp_state(connection.state, parsed.tcp_flags,
                                              client_direction(server_of(connection).mode));
  if (!connection.trusted && earns_trust(packet, parsed, connection)) {
    connections_.trust(connection, now_);
  }
  if (next != connection.state) {
    set_state(connection, next);
  }
}

// Whether the client has shown that it receives what is sent to its address.
bool Pipeline::earns_trust(const Packet& packet, const ParsedPacket& parsed,
                           const Connection& connection) {
  const TcpHeader& tcp = tcp_of(packet, parsed);
  const bool acknowledges =
      !connection.translated ||
      ((parsed.tcp_flags & kAck) != 0 &&
       note_client_acknowledgement(translations_->of(connection), tcp.acknowledgment.to_host()));
  return (parsed.tcp_flags & kSyn) == 0 && acknowledges &&
         continues_client_half(connection.next_sequence, tcp.sequence.to_host());
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

uint32_t Pipeline::timeout_of(const Connection& connection) const {
  static constexpr Timeouts kDefaults;
  const VirtualService* service = server_of(connection).service;
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
  if (connection.translated) {
    give_back_port(connection);
  }
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

void Pipeline::give_back_port(const Connection& connection) {
  const TranslationRecord& record = translations_->of(connection);
  if (record.local.lane != kNoLane) {
    ports_->give_back(record.local, rest_of(connection, record, now_, ports_->settings().time_wait),
                      now_);
  }
}

}  // namespace ballast
