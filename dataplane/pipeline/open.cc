// New connections: the service, its server, what is remembered.
#include <algorithm>
#include <cassert>

#include "dataplane/pipeline/pipeline.h"
#include "dataplane/pipeline/segment.h"

namespace ballast {
namespace {

// In place of a server that the client's port reaches through another VIP already, the scheduler is
// asked for others so many times; then they are tried one by one, so many of them.
constexpr uint16_t kMaxPicks = 8;
constexpr size_t kMaxTries = 64;

// Whether a segment of no known connection gets a server.
bool may_begin(const ParsedPacket& parsed, const VirtualService& service) {
  const bool resets = (parsed.tcp_flags & kRst) != 0;
  if (!resets && (is_first_segment(parsed) || service.sloppy_tcp)) {
    return true;
  }
  const bool from_the_midst = (parsed.tcp_flags & (kSyn | kAck)) == kAck;
  return (resets || from_the_midst) && follows_from_flow(service, parsed.family);
}

// A flow that a hashing scheduler takes for another one.
FlowKey varied(const FlowKey& flow, uint16_t attempt) {
  FlowKey other = flow;
  other.client_port =
      Big16::from_host(static_cast<uint16_t>(flow.client_port.to_host() ^ attempt << 8));
  return other;
}

}  // namespace

// The server of a flow without a connection, which gets one; kNoServer with the packet decided.
ServerIndex Pipeline::open(Packet& packet, Slot& slot, Connection*& connection) {
  if (asks_another_owner(packet, slot, slot.flow())) {
    return kNoServer;
  }
  const ParsedPacket& parsed = slot.parsed;
  const VirtualService* service = service_of(slot.flow());
  if (service == nullptr) {
    refuse(packet, slot, DropReason::kNoService, snapshot_->on_no_service);
    return kNoServer;
  }
  assert(!translates(service->mode) || translations_ != nullptr);
  if (parsed.kind == PacketKind::kLaterFragment) {
    return server_for_fragment(packet, slot);
  }
  if (parsed.protocol == IpProtocol::kTcp && !may_begin(parsed, *service)) {
    refuse(packet, slot, DropReason::kNotSyn, service->on_no_server);
    return kNoServer;
  }
  const ServerIndex server = choose_server(packet, slot, *service);
  if (server == kNoServer || (parsed.tcp_flags & kRst) != 0) {
    return server;
  }
  if (is_scheduled_by_itself(parsed, *service)) {
    count_by_itself(packet, parsed, server);
    return server;
  }
  connection = remember(packet, slot, *service, server);
  if (connection != nullptr) {
    return server;
  }
  if (packet.reason != DropReason::kUntrustedQuota || !follows_from_flow(*service, parsed.family)) {
    around_.counters.drop(packet.reason);
    packet.verdict = Verdict::kDrop;
    return kNoServer;
  }
  packet.reason = DropReason::kNone;
  around_.counters.forwarded_without_state.add(1);
  return server;
}

const VirtualService* Pipeline::service_of(const FlowKey& flow) const {
  const ServiceTable::Entry* listener =
      snapshot_->listeners->find({flow.vip, flow.vip_port, flow.protocol});
  return listener != nullptr ? snapshot_->services[listener->service].get() : nullptr;
}

// Without an entry; kNoServer unless the flow alone says it.
ServerIndex Pipeline::server_of_unknown_flow(const Slot& slot) {
  const VirtualService* service = service_of(slot.flow());
  if (service == nullptr || !follows_from_flow(*service, slot.parsed.family)) {
    return kNoServer;
  }
  return pick(service->pool(slot.parsed.family), slot.flow());
}

// A later fragment opens nothing: it follows the first.
ServerIndex Pipeline::server_for_fragment(Packet& packet, const Slot& slot) {
  const ServerIndex server = server_of_unknown_flow(slot);
  if (server == kNoServer) {
    drop(packet, DropReason::kFragmentLater);
  }
  return server;
}

// kNoServer with the packet refused.
ServerIndex Pipeline::choose_server(Packet& packet, const Slot& slot,
                                    const VirtualService& service) {
  const Pool& pool = service.pool(slot.parsed.family);
  ServerIndex server = pick(pool, slot.flow());
  if (server == kNoServer) {
    refuse(packet, slot, DropReason::kNoUsableServer, service.on_no_server);
    return kNoServer;
  }
  if (service.mode != ForwardingMode::kNat || is_scheduled_by_itself(slot.parsed, service)) {
    return server;
  }
  if (!is_reached_otherwise(slot.flow(), server)) [[likely]] {
    return server;
  }
  server = choose_another(slot, pool);
  if (server == kNoServer) {
    drop(packet, DropReason::kNatCollision);
  }
  return server;
}

// NAT, where the server that the scheduler names is one that the client's port reaches already: one
// that it does not; kNoServer when there is none.
ServerIndex Pipeline::choose_another(const Slot& slot, const Pool& pool) {
  for (uint16_t attempt = 1; attempt < kMaxPicks; ++attempt) {
    const ServerIndex server = pick(pool, varied(slot.flow(), attempt));
    if (!is_reached_otherwise(slot.flow(), server)) {
      return server;
    }
  }
  if (pool.servers == nullptr) {
    return kNoServer;
  }
  const std::vector<ServerIndex>& servers = *pool.servers;
  const size_t first = slot.probe.hash % std::max<size_t>(servers.size(), 1);
  for (size_t i = 0; i < std::min(servers.size(), kMaxTries); ++i) {
    const ServerIndex server = servers[(first + i) % servers.size()];
    if (!is_reached_otherwise(slot.flow(), server)) {
      return server;
    }
  }
  return kNoServer;
}

// NAT: whether the client's port reaches this server through another VIP, so that the server's
// replies could not be told apart.
bool Pipeline::is_reached_otherwise(const FlowKey& flow, ServerIndex server) {
  const ServerEndpoint endpoint = endpoint_of(snapshot_->servers[index(server)], flow);
  return translations_->find(ReturnKey::of(endpoint, flow.client, flow.client_port),
                             return_keys()) != nullptr;
}

// A new entry with all that belongs to it. Null, with packet.reason, and nothing changed when there
// is no room for it.
Connection* Pipeline::remember(Packet& packet, Slot& slot, const VirtualService& service,
                               ServerIndex server) {
  LocalEndpoint local;
  if (service.mode == ForwardingMode::kFullNat) {
    const ServerEndpoint endpoint = endpoint_of(snapshot_->servers[index(server)], slot.flow());
    const auto taken = ports_->take(service.local_addresses(slot.parsed.family), endpoint, now_);
    if (!taken) {
      packet.reason = taken.error() == NoLocalPort::kExhausted ? DropReason::kLocalPortsExhausted
                                                               : DropReason::kLocalPortsMemory;
      return nullptr;
    }
    local = *taken;
    // Where its replies will be found: on its way while the connection is entered.
    ConnectionProbe probe;
    translations_->prefetch_bucket(
        ReturnKey::of(endpoint, (*snapshot_->local_addresses)[index(local.address)], local.port),
        probe);
  }
  Connection* connection = connections_.insert(slot.flow(), slot.probe, now_);
  if (connection == nullptr) {
    packet.reason = DropReason::kUntrustedQuota;
    if (local.lane != kNoLane) {
      ports_->give_back(local, PortRest::kShort, now_);
    }
    return nullptr;
  }
  enter(packet, slot.parsed, *connection, server);
  if (translates(service.mode) && !translate_connection(packet, *connection, local)) {
    packet.reason = DropReason::kUntrustedQuota;
    return nullptr;
  }
  return connection;
}

// Fills a new entry in, from the client's first packet.
void Pipeline::enter(const Packet& packet, const ParsedPacket& parsed, Connection& connection,
                     ServerIndex server) {
  connection.server = server;
  connection.last_seen = now_;
  connection.state = ConnectionState::kUdp;
  if (parsed.protocol == IpProtocol::kTcp) {
    connection.state = next_tcp_state(ConnectionState::kNone, parsed.tcp_flags,
                                      client_direction(server_of(connection).mode));
    connection.next_sequence = first_sequence(packet, parsed);
  }
  count_opened(connection);
}

// A connection of one datagram, over at once.
void Pipeline::count_by_itself(const Packet& packet, const ParsedPacket& parsed,
                               ServerIndex server) {
  ServerCounters& counters = around_.servers[server];
  counters.connections.add(1);
  counters.ended.add(1);
  const MacAddress& mac = packet.view().header_at<EthernetHeader>(0)->source;
  const MacAddress* known = client_macs_.find(parsed.source, packet.in_port);
  if ((known == nullptr || *known != mac) && may_be_clients(mac, parsed.source, packet.in_port)) {
    client_macs_.note(parsed.source, mac, packet.in_port);
  }
}

void Pipeline::count_opened(Connection& connection) {
  ServerCounters& counters = around_.servers[connection.server];
  counters.connections.add(1);
  (is_active(connection.state) ? counters.active : counters.inactive).add(1);
  connections_.arm(connection, now_);
}

// Makes the connection known by its server's replies. False with the connection removed when the
// index has no room.
bool Pipeline::translate_connection(const Packet& packet, Connection& connection,
                                    const LocalEndpoint& local) {
  TranslationRecord record;
  record.local = local;
  note_frame_source(packet, record);
  if (translations_->insert(connection, record, return_keys()) == ReturnInsert::kInserted) {
    return true;
  }
  connections_.remove(connection);
  if (local.lane != kNoLane) {
    ports_->give_back(local, PortRest::kShort, now_);
  }
  return false;
}

}  // namespace ballast
