// What is done to a packet, and where it leaves.
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/pipeline/segment.h"
#include "dataplane/rewrite/direct_routing.h"
#include "dataplane/rewrite/icmp_translate.h"
#include "dataplane/rewrite/nat.h"

namespace ballast {
namespace {

// The parser has seen that it is there.
bool may_be_fragmented(const Packet& packet, const ParsedPacket& parsed) {
  return parsed.family == Family::kIpv4 &&
         !packet.view().header_at<Ipv4Header>(parsed.network_offset)->dont_fragment();
}

// One of `count` addresses, a power of two, from `first` on, whose last bits are zero. Words, to be
// stored where they are read: an address of two halves that is copied waits for both of them.
IpAddress::Words one_of(const IpAddress& first, uint32_t count, uint32_t choice) {
  IpAddress::Words words = first.words();
  words.second |= __builtin_bswap64(uint64_t{choice & (count - 1)});
  return words;
}

}  // namespace

// Where something is in the way: no route, too long a packet, no MAC, no link.
void Pipeline::send_with_care(Packet& packet, Slot& slot, ServerIndex server_index,
                              Connection* connection) {
  const RealServer& server = snapshot_->servers[index(server_index)];
  if (server.next_hop == kNoNeighbor) {
    return drop(packet, DropReason::kNoRoute);
  }
  const PortState& port = snapshot_->ports[index(server.out_port)];
  // A tunnel has a smaller limit of its own.
  if (server.mode != ForwardingMode::kTunnel && !fits(packet, slot, port.mtu)) {
    return;
  }
  if (server.mode != ForwardingMode::kDirectRouting &&
      !rewrite_to_server(packet, slot, server, connection)) {
    return;
  }
  around_.servers[server_index].count_in(slot.parsed.network_length);
  send_by(packet, server.out_port, server.next_hop, slot.flow().vip);
}

// Whether the packet, cut into fragments if need be, can leave by a link of this MTU; else it is
// refused.
bool Pipeline::fits(Packet& packet, const Slot& slot, uint16_t mtu) {
  if (slot.parsed.network_length <= mtu) [[likely]] {
    return true;
  }
  if (may_be_fragmented(packet, slot.parsed)) {
    packet.fragment_mtu = mtu;
    return true;
  }
  refuse_too_big(packet, slot, mtu);
  return false;
}

// In all modes but DR. False with the packet refused.
bool Pipeline::rewrite_to_server(Packet& packet, Slot& slot, const RealServer& server,
                                 Connection* connection) {
  switch (server.mode) {
    case ForwardingMode::kDirectRouting:
      return true;
    case ForwardingMode::kNat:
    case ForwardingMode::kFullNat:
      return was_rewritten(packet, slot, translate_to_server(packet, slot, server, connection));
    case ForwardingMode::kTunnel:
      return enter_tunnel(packet, slot, server);
  }
  return false;
}

RewriteResult Pipeline::translate_to_server(Packet& packet, Slot& slot, const RealServer& server,
                                            Connection* connection) {
  const ParsedPacket& parsed = slot.parsed;
  const FlowKey& flow = slot.flow();
  const Endpoint endpoint{server.address, port_of(server, flow)};
  const bool full = server.mode == ForwardingMode::kFullNat;
  Endpoint local;
  if (full) {
    if (connection == nullptr) {
      return RewriteResult::kNotApplicable;  // FULLNAT never goes without
    }
    const LocalEndpoint& taken = translations_->of(*connection).local;
    local = {(*snapshot_->local_addresses)[index(taken.address)], taken.port};
  }
  if (parsed.kind == PacketKind::kIcmpError) {
    Translation along{.source = std::nullopt, .destination = endpoint};
    if (full) {
      along.source = local;
    }
    return translate_icmp_error(packet.view(), parsed, mirrored(along), TtlAction::kDecrement);
  }
  if (is_segment(parsed) && connection != nullptr) {
    follow_client(packet, parsed, *connection);
  }
  return full ? rewrite_full_nat(packet.view(), parsed, local, endpoint)
              : rewrite_nat_in(packet.view(), parsed, endpoint);
}

void Pipeline::refuse_to_rewrite(Packet& packet, const Slot& slot, RewriteResult result) {
  switch (result) {
    case RewriteResult::kTtlExpired:
      return refuse_expired(packet, slot);
    case RewriteResult::kNoHeadroom:
      return drop(packet, DropReason::kNoHeadroom);
    case RewriteResult::kDone:
    case RewriteResult::kTooBig:
    case RewriteResult::kMustFragment:
    case RewriteResult::kNotApplicable:
      break;
  }
  drop(packet, DropReason::kProtocolUnsupported);
}

// False with the packet refused.
bool Pipeline::enter_tunnel(Packet& packet, Slot& slot, const RealServer& server) {
  const ServerTunnel& tunnel = *server.tunnel;
  if (tunnel.sources == 0) {
    drop(packet, DropReason::kNoTunnelSource);
    return false;
  }
  const uint16_t mtu = snapshot_->ports[index(server.out_port)].mtu;
  const auto flow_hash = static_cast<uint32_t>(slot.probe.hash >> 32);
  identification_ = static_cast<uint16_t>(identification_ + around_.steering.workers());
  OuterFields outer{
      .source = {}, .flow_hash = flow_hash, .identification = identification_, .mtu = mtu};
  outer.source.set_words(one_of(tunnel.first_source, tunnel.sources, flow_hash));
  PacketView frame = packet.view();
  if (!tunnel.header.encapsulate_plain(frame, packet.headroom, slot.parsed, outer) &&
      !enter_tunnel_with_care(packet, slot, tunnel.header, outer, frame)) [[unlikely]] {
    return false;
  }
  packet.grown = static_cast<uint16_t>(packet.data - frame.data());
  packet.headroom = static_cast<uint16_t>(packet.headroom - packet.grown);
  packet.capacity = static_cast<uint16_t>(packet.capacity + packet.grown);
  packet.data = frame.data();
  packet.size = static_cast<uint16_t>(frame.size());
  packet.frame_size = static_cast<uint32_t>(frame.frame_size());
  return true;
}

// Any packet: one that is refused, or that has to be cut. False with the packet refused.
bool Pipeline::enter_tunnel_with_care(Packet& packet, Slot& slot, const TunnelHeader& header,
                                      OuterFields& outer, PacketView& frame) {
  const uint16_t mtu = outer.mtu;
  RewriteResult result = header.encapsulate(frame, packet.headroom, slot.parsed, outer);
  if (result == RewriteResult::kMustFragment) {
    outer.mtu = UINT16_MAX;
    outer.is_cut = true;
    packet.fragment_mtu = mtu;
    result = header.encapsulate(frame, packet.headroom, slot.parsed, outer);
  }
  if (result == RewriteResult::kTooBig) {
    refuse_too_big(packet, slot, header.inner_mtu(slot.parsed.family, mtu));
    return false;
  }
  return was_rewritten(packet, slot, result);
}

// To a next hop whose MAC may be unknown: the packet waits for it then.
void Pipeline::send_by(Packet& packet, PortIndex out_port, NeighborIndex next_hop,
                       const IpAddress& vip) {
  packet.out_port = out_port;
  const Neighbor neighbor = around_.neighbors.get(next_hop);
  if (neighbor.state != NeighborState::kReachable) {
    around_.requests.need(next_hop, now_ns_);  // one that failed may have come back
  }
  if (neighbor.state != NeighborState::kUnknown || !snapshot_->ports[index(out_port)].up) {
    return deliver(packet, neighbor);
  }
  if (!waiting_.admit(packet, next_hop, vip, now_ns_)) {
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

}  // namespace ballast
