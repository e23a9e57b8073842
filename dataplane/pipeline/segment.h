// What the stages ask of a parsed TCP segment, and where a connection's packets lead.
#pragma once

#include "dataplane/connection/return_key.h"
#include "dataplane/connection/tcp_tracker.h"
#include "dataplane/packet/parser.h"
#include "dataplane/packet/wire.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/service/forwarding_snapshot.h"

namespace ballast {

// The parser has seen that it is there.
inline const TcpHeader& tcp_of(const Packet& packet, const ParsedPacket& parsed) {
  return *packet.view().header_at<TcpHeader>(parsed.transport_offset);
}

// Has a TCP header: a whole segment, or its first fragment.
inline bool is_segment(const ParsedPacket& parsed) {
  return parsed.kind == PacketKind::kTransport && parsed.protocol == IpProtocol::kTcp;
}

// Opens a connection, or opens it anew: SYN without ACK.
inline bool is_first_segment(const ParsedPacket& parsed) {
  return (parsed.tcp_flags & (kSyn | kAck)) == kSyn;
}

// What the sender's next segment begins with at the least: behind a SYN, which takes one number; at
// the same one after a segment from the midst of a connection, which may have been empty.
inline uint32_t first_sequence(const Packet& packet, const ParsedPacket& parsed) {
  return tcp_of(packet, parsed).sequence.to_host() + ((parsed.tcp_flags & kSyn) != 0 ? 1 : 0);
}

// What the sender's next segment begins with if this one arrives.
inline uint32_t sequence_behind(const Packet& packet, const ParsedPacket& parsed) {
  const auto numbers = static_cast<uint32_t>((parsed.tcp_flags & kSyn) != 0) +
                       static_cast<uint32_t>((parsed.tcp_flags & kFin) != 0);
  return tcp_of(packet, parsed).sequence.to_host() + parsed.payload_length + numbers;
}

// RFC 9293 section 3.4: whether `sequence` lies behind `other`, modulo 2^32.
constexpr bool is_behind(uint32_t sequence, uint32_t other) {
  return static_cast<int32_t>(sequence - other) > 0;
}

inline bool translates(ForwardingMode mode) {
  return mode == ForwardingMode::kNat || mode == ForwardingMode::kFullNat;
}

// What is seen of a connection: its client's half, or both.
inline TcpDirection client_direction(ForwardingMode mode) {
  return translates(mode) ? TcpDirection::kFromClient : TcpDirection::kFromClientOnly;
}

// Whether a flow's server can be told from the flow alone, without an entry in the table, here as
// on another node.
inline bool follows_from_flow(const VirtualService& service, Family family) {
  return service.mode != ForwardingMode::kFullNat && service.pool(family).scheduler->hashes();
}

// UDP with one_packet; but for fragments, which have to go one way.
inline bool is_scheduled_by_itself(const ParsedPacket& parsed, const VirtualService& service) {
  return service.one_packet && parsed.protocol == IpProtocol::kUdp && !parsed.fragment;
}

// The same of a server's datagram, fragments included: it answers one datagram, and has no part in
// a connection.
inline bool replies_by_itself(const ParsedPacket& reply, const VirtualService& service) {
  return service.one_packet && reply.protocol == IpProtocol::kUdp;
}

// Where a server listens for a flow.
inline Big16 port_of(const RealServer& server, const FlowKey& flow) {
  return server.port == Big16{} ? flow.vip_port : server.port;
}
inline ServerEndpoint endpoint_of(const RealServer& server, const FlowKey& flow) {
  return {server.address, port_of(server, flow), flow.protocol};
}

// By what the replies of a connection's server are known, from its entry and record.
class ReturnKeys {
 public:
  explicit ReturnKeys(const ForwardingSnapshot& snapshot)
      : servers_(snapshot.servers.data()), local_addresses_(snapshot.local_addresses->data()) {}

  ReturnKey operator()(const Connection& connection, const TranslationRecord& record) const {
    const ServerEndpoint server = endpoint_of(servers_[index(connection.server)], connection.key);
    return record.local.lane == kNoLane
               ? ReturnKey::of(server, connection.key.client, connection.key.client_port)
               : ReturnKey::of(server, local_addresses_[index(record.local.address)],
                               record.local.port);
  }

  // The same as comparing with it, word by word, without putting it together: what is stored in
  // pieces and loaded again at once would have to leave the store buffer in between.
  [[nodiscard]] bool is_key(const Connection& connection, const TranslationRecord& record,
                            const ReturnKey& key) const {
    const RealServer& server = servers_[index(connection.server)];
    const bool by_client = record.local.lane == kNoLane;
    const IpAddress& peer =
        by_client ? connection.key.client : local_addresses_[index(record.local.address)];
    const Big16 peer_port = by_client ? connection.key.client_port : record.local.port;
    FlowKey rest;
    rest.set_ports_and_protocol(peer_port, port_of(server, connection.key),
                                connection.key.protocol);
    return key.tuple.client == peer && key.tuple.vip == server.address &&
           key.tuple.ports_and_protocol() == rest.ports_and_protocol();
  }

 private:
  const RealServer* servers_;
  const IpAddress* local_addresses_;
};

}  // namespace ballast
