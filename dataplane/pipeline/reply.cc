// Packets from servers, in NAT and FULLNAT: the connection, the way to its client.
#include <array>
#include <cstring>

#include "dataplane/pipeline/pipeline.h"
#include "dataplane/pipeline/segment.h"
#include "dataplane/rewrite/direct_routing.h"
#include "dataplane/rewrite/icmp_translate.h"
#include "dataplane/rewrite/nat.h"
#include "dataplane/service/slot_index.h"

namespace ballast {
namespace {

// How many listeners are looked at for the one that an unknown reply belongs to.
constexpr size_t kMaxListeners = 64;

// In place of a MAC, for a client behind a gateway.
void note_neighbor(TranslationRecord& record, NeighborIndex neighbor, bool is_near) {
  std::memcpy(record.client_hop.data(), &neighbor, sizeof(neighbor));
  record.server_seen = static_cast<uint8_t>((record.server_seen & ~(kHopIsMac | kHopIsNear)) |
                                            (is_near ? kHopIsNear : 0));
}

void note_mac(TranslationRecord& record, const MacAddress& mac, PortIndex port) {
  record.client_hop = mac.bytes();
  record.client_port = static_cast<uint8_t>(index(port));
  record.server_seen = static_cast<uint8_t>(record.server_seen | kHopIsMac | kHopIsNear);
}

NeighborIndex neighbor_of(const TranslationRecord& record) {
  NeighborIndex neighbor{};
  std::memcpy(&neighbor, record.client_hop.data(), sizeof(neighbor));
  return neighbor;
}

bool is_mac(const TranslationRecord& record) {
  return (record.server_seen & kHopIsMac) != 0;
}

}  // namespace

ReturnKeys Pipeline::return_keys() const {
  return ReturnKeys(*snapshot_);
}

void Pipeline::forward_reply(Packet& packet, Slot& slot) {
  Connection* connection = translations_->find(slot.key, slot.probe, return_keys());
  if (connection == nullptr) {
    return reply_of_unknown_flow(packet, slot);
  }
  if (!may_answer_for(connection->key.vip)) {
    return drop(packet, DropReason::kVipNotOwned);
  }
  TranslationRecord& record = translations_->of(*connection);
  if (goes_on_as_it_is(*connection, slot.parsed)) [[likely]] {
    note_seen_by_reply(*connection);
  } else if (!change_by_reply(packet, slot, *connection, record)) {
    return;
  }
  send_to_client(packet, slot, connection->key, connection->server, record);
}

// The client's next packet is still the first of its own in this second.
void Pipeline::note_seen_by_reply(Connection& connection) const {
  if (connection.last_seen != now_) {
    connection.last_seen = now_;
    connection.client_unseen = true;
  }
}

// Whether this node holds the VIP that a reply is sent from.
inline bool Pipeline::may_answer_for(const IpAddress& vip) {
  VipOfReplies& known = vips_of_replies_[gate_of(vip)];
  if (known.epoch != epoch_ || known.address != vip) [[unlikely]] {
    known = {.address = vip, .epoch = epoch_, .forwards = holds(vip)};
  }
  return known.forwards;
}

// False with the packet dropped.
bool Pipeline::change_by_reply(Packet& packet, const Slot& slot, Connection& connection,
                               TranslationRecord& record) {
  const ParsedPacket& parsed = slot.parsed;
  if (parsed.kind == PacketKind::kIcmpError) {
    if (!quotes_client_plausibly(packet, parsed, connection)) {
      drop(packet, DropReason::kIcmpSequence);
      return false;
    }
    return true;
  }
  const RealServer& server = server_of(connection);
  if (!server.accepts_connections &&
      (server.service == nullptr || server.service->on_server_down != OnServerDown::kKeep)) {
    drop(packet, DropReason::kServerGone);  // the client's next packet ends it as it should
    return false;
  }
  note_seen_by_reply(connection);
  if (is_segment(parsed)) {
    track_server(packet, parsed, connection, record);
  }
  return true;
}

void Pipeline::track_server(const Packet& packet, const ParsedPacket& parsed,
                            Connection& connection, TranslationRecord& record) {
  note_server_segment(record, parsed.tcp_flags, tcp_of(packet, parsed).sequence.to_host());
  const ConnectionState next =
      next_tcp_state(connection.state, parsed.tcp_flags, TcpDirection::kFromServer);
  if (next != connection.state) {
    set_state(connection, next);
  }
}

// ---------------------------------------------------------------- without a connection

void Pipeline::reply_of_unknown_flow(Packet& packet, Slot& slot) {
  const ParsedPacket& parsed = slot.parsed;
  if (parsed.kind == PacketKind::kIcmpError) {
    return slot.local != nullptr ? drop(packet, DropReason::kIcmpUnmatched)
                                 : pass_to_kernel_router(packet, slot, DropReason::kIcmpUnmatched);
  }
  if (slot.local != nullptr) {  // FULLNAT: as a host does that knows no such connection
    return refuse(
        packet, slot, DropReason::kReplyUnmatched,
        parsed.protocol == IpProtocol::kTcp ? RefuseAction::kAnswer : RefuseAction::kDrop);
  }
  const std::optional<FlowOfReply> found = flow_of_reply(slot);
  if (!found) {
    return pass_to_kernel_router(packet, slot, DropReason::kReplyUnmatched);
  }
  // Where the client's flow leads to another server now, this one has no part in it any more; with
  // one_packet, a fragmented datagram's entry says nothing of the others.
  if (!replies_by_itself(parsed, *snapshot_->servers[index(found->server)].service)) {
    if (connections_.find(found->flow) != nullptr) {
      return drop(packet, DropReason::kReplyUnmatched);
    }
    if (asks_another_owner(packet, slot, found->flow)) {
      return;
    }
  }
  TranslationRecord without_entry;
  Connection* connection = rebuild(packet, slot, *found);
  send_to_client(packet, slot, found->flow, found->server,
                 connection != nullptr ? translations_->of(*connection) : without_entry);
}

// NAT: whose reply this can only be: of the one VIP from where a hash leads the client to this
// server; else of the one from where one_packet may have led it.
std::optional<Pipeline::FlowOfReply> Pipeline::flow_of_reply(const Slot& slot) {
  const ParsedPacket& parsed = slot.parsed;
  const bool has_ports =
      parsed.kind == PacketKind::kTransport || parsed.kind == PacketKind::kLaterFragment;
  if (!has_ports || (parsed.protocol == IpProtocol::kTcp && is_first_segment(parsed))) {
    return std::nullopt;  // no reply: a server that opens a connection of its own
  }
  std::array<FlowOfReply, 2> found;  // by whether a hash says so
  std::array<size_t, 2> count{};
  size_t looked_at = 0;
  for (const ServerIndex server : snapshot_->reply_sources->find(parsed.source)) {
    const VirtualService* service = snapshot_->servers[index(server)].service;
    if (service == nullptr || !snapshot_->servers[index(server)].accepts_connections) {
      continue;
    }
    for (const Listener& listener : service->listeners) {
      if (++looked_at > kMaxListeners) {
        return std::nullopt;
      }
      const Leads leads = leads_to(*service, listener, server, parsed);
      if (leads != Leads::kElsewhere) {
        const size_t which = leads == Leads::kByHash ? 1 : 0;
        ++count[which];
        found[which] = {{parsed.destination, listener.vip, parsed.destination_port, listener.port,
                         parsed.protocol},
                        server};
      }
    }
  }
  const size_t which = count[1] != 0 ? 1 : 0;
  return count[which] == 1 ? std::optional(found[which]) : std::nullopt;
}

// Whether a client's packet to the listener would go to where this reply comes from.
Pipeline::Leads Pipeline::leads_to(const VirtualService& service, const Listener& listener,
                                   ServerIndex server, const ParsedPacket& reply) {
  const FlowKey flow{reply.destination, listener.vip, reply.destination_port, listener.port,
                     listener.protocol};
  const ServerEndpoint endpoint = endpoint_of(snapshot_->servers[index(server)], flow);
  if (endpoint != ServerEndpoint{reply.source, reply.source_port, reply.protocol} ||
      listener.vip.family() != reply.family || !holds(listener.vip)) {
    return Leads::kElsewhere;
  }
  const bool by_itself = replies_by_itself(reply, service);
  if (reply.kind == PacketKind::kLaterFragment && !by_itself) {
    return Leads::kElsewhere;  // it follows the first, which has an entry
  }
  if (follows_from_flow(service, reply.family) &&
      pick(service.pool(reply.family), flow) == server) {
    return Leads::kByHash;
  }
  return by_itself ? Leads::kPerhaps : Leads::kElsewhere;
}

// The entry of a connection that another node has opened; null when it goes without one.
Connection* Pipeline::rebuild(const Packet& packet, const Slot& slot, const FlowOfReply& found) {
  const ParsedPacket& parsed = slot.parsed;
  const VirtualService& service = *snapshot_->servers[index(found.server)].service;
  if ((parsed.tcp_flags & kRst) != 0 || replies_by_itself(parsed, service)) {
    return nullptr;
  }
  Connection* connection = connections_.insert(found.flow, now_);
  if (connection == nullptr) {
    around_.counters.forwarded_without_state.add(1);
    return nullptr;
  }
  connection->server = found.server;
  connection->last_seen = now_;
  connection->state = ConnectionState::kUdp;
  if (parsed.protocol == IpProtocol::kTcp) {
    connection->state =
        (parsed.tcp_flags & kSyn) != 0
            ? ConnectionState::kSynReceived  // it answers a SYN that another node has seen
            : next_tcp_state(ConnectionState::kNone, parsed.tcp_flags, TcpDirection::kFromServer);
    // What the server acknowledges is where the client goes on.
    connection->next_sequence = tcp_of(packet, parsed).acknowledgment.to_host();
  }
  count_opened(*connection);
  TranslationRecord record;
  note_server_segment(record, parsed.tcp_flags,
                      is_segment(parsed) ? tcp_of(packet, parsed).sequence.to_host() : 0);
  if (translations_->insert(*connection, record, return_keys()) != ReturnInsert::kInserted) {
    connections_.remove(*connection);
    return nullptr;
  }
  return connection;
}

// What is no connection's goes to the kernel where it is from or to a network that it may route.
void Pipeline::pass_to_kernel_router(Packet& packet, const Slot& slot, DropReason otherwise) {
  const auto holds = [](const Prefix& network, const IpAddress& address) {
    return network.contains(address);
  };
  for (const Prefix& network : snapshot_->routed_networks) {
    if (holds(network, slot.parsed.source) || holds(network, slot.parsed.destination)) {
      return punt_routed(packet, slot);
    }
  }
  drop(packet, otherwise);
}

// ---------------------------------------------------------------- the way to the client

// Where the client's frames come from: the way back, for a client on the port's own network.
void Pipeline::note_frame_source(const Packet& packet, TranslationRecord& record) {
  note_mac(record, packet.view().header_at<EthernetHeader>(0)->source, packet.in_port);
}

// Not for every packet: the client's first of each second.
void Pipeline::note_seen_by_client(const Packet& packet, Connection& connection) {
  connection.last_seen = now_;
  if (!connection.translated) {
    return;
  }
  connection.client_unseen = false;
  TranslationRecord& record = translations_->of(connection);
  if ((record.server_seen & kHopIsNear) != 0 && record.client_port == index(packet.in_port)) {
    const MacAddress& source = packet.view().header_at<EthernetHeader>(0)->source;
    const bool is_known = is_mac(record) && record.client_hop == source.bytes();
    if (!is_known && may_be_clients(source, connection.key.client, packet.in_port)) {
      note_mac(record, source, packet.in_port);
    }
  }
}

// Whether a client on the port's own network may have this MAC (client_macs.h).
bool Pipeline::may_be_clients(const MacAddress& mac, const IpAddress& client,
                              PortIndex port) const {
  if (mac.is_multicast() || mac.is_zero() || snapshot_->addresses->has_virtual_mac(mac)) {
    return false;
  }
  for (const PortState& each : snapshot_->ports) {
    if (each.mac == mac) {
      return false;
    }
  }
  for (const ClientHops::Hop& gateway : snapshot_->client_hops->gateways()) {
    if (gateway.port == port && gateway.address.family() == client.family() &&
        gateway.address != client && around_.neighbors.get(gateway.neighbor).mac == mac) {
      return false;
    }
  }
  return true;
}

// Finds the way anew where routes have changed since. False with the packet dropped.
bool Pipeline::find_way(Packet& packet, const FlowKey& flow, TranslationRecord& record) {
  const uint64_t spread = hash_address(flow.client, flow.client_port.to_host());
  const RouteHop* hop = snapshot_->routes->next_hop(flow.client, spread);
  if (hop == nullptr) {
    drop(packet, DropReason::kNoRoute);
    return false;
  }
  const auto port = static_cast<uint8_t>(index(hop->port));
  if (!hop->gateway && !(is_mac(record) && record.client_port == port)) {
    if (const MacAddress* mac = client_macs_.find(flow.client, hop->port)) {
      note_mac(record, *mac, hop->port);
    }
  }
  const bool by_mac = !hop->gateway && is_mac(record) && record.client_port == port &&
                      may_be_clients(MacAddress(record.client_hop), flow.client, hop->port);
  if (!by_mac) {
    const IpAddress next_hop = hop->gateway.value_or(flow.client);
    const NeighborIndex neighbor = snapshot_->client_hops->find(hop->port, next_hop);
    if (neighbor == kNoNeighbor) {
      around_.requests.need_client(hop->port, next_hop, now_ns_);
      drop(packet, DropReason::kNeighborTimeout);
      return false;
    }
    if (!hop->gateway) {
      around_.requests.need_client(hop->port, next_hop, now_ns_);  // it is in use still
    }
    note_neighbor(record, neighbor, !hop->gateway);
    record.client_port = port;
  }
  record.hop_generation = snapshot_->hop_generation;
  return true;
}

// Inlined by force into its one caller.
[[gnu::always_inline]] inline RewriteResult Pipeline::rewrite_to_client(Packet& packet, Slot& slot,
                                                                        const FlowKey& flow,
                                                                        ServerIndex server,
                                                                        TranslationRecord& record) {
  const ParsedPacket& parsed = slot.parsed;
  const bool full = record.local.lane != kNoLane;
  if (parsed.kind == PacketKind::kIcmpError) [[unlikely]] {
    Translation along{.source = Endpoint{flow.vip, flow.vip_port}, .destination = std::nullopt};
    if (full) {
      along.destination = Endpoint{flow.client, flow.client_port};
    }
    return translate_icmp_error(packet.view(), parsed, mirrored(along), TtlAction::kDecrement);
  }
  const EndpointView vip(flow.vip, flow.vip_port);
  const EndpointView client(flow.client, flow.client_port);
  if (is_segment(parsed)) {
    follow_server(packet, parsed, record);
    if ((parsed.tcp_flags & kSyn) != 0) [[unlikely]] {
      limit_segments(packet, parsed, server);
    }
  }
  return full ? rewrite_full_nat(packet.view(), parsed, vip, client)
              : rewrite_nat_out(packet.view(), parsed, vip);
}

void Pipeline::send_to_client(Packet& packet, Slot& slot, const FlowKey& flow, ServerIndex server,
                              TranslationRecord& record) {
  if (record.hop_generation != snapshot_->hop_generation && !find_way(packet, flow, record))
      [[unlikely]] {
    return;
  }
  const auto out_port = static_cast<PortIndex>(record.client_port);
  const PortState& port = snapshot_->ports[index(out_port)];
  if (!fits(packet, slot, port.mtu) ||
      !was_rewritten(packet, slot, rewrite_to_client(packet, slot, flow, server, record))) {
    return;
  }
  around_.servers[server].count_out(slot.parsed.network_length);
  packet.out_port = out_port;
  const bool by_mac = is_mac(record);
  const Neighbor neighbor =
      by_mac ? Neighbor{.mac = MacAddress(record.client_hop), .state = NeighborState::kReachable}
             : around_.neighbors.get(neighbor_of(record));
  if (neighbor.state == NeighborState::kReachable && port.up) [[likely]] {
    rewrite_direct_routing(packet.view(), port.mac, neighbor.mac);
    packet.verdict = Verdict::kTransmit;
    return;
  }
  by_mac ? deliver(packet, neighbor) : send_by(packet, out_port, neighbor_of(record), flow.vip);
}

}  // namespace ballast
