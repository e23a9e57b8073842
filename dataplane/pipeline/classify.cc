// Whose packet is it: a VIP's, the node's own, the kernel's, or nobody's.
#include <algorithm>

#include "dataplane/neighbor/arp_responder.h"
#include "dataplane/neighbor/echo_responder.h"
#include "dataplane/neighbor/nd_responder.h"
#include "dataplane/packet/wire.h"
#include "dataplane/pipeline/admission.h"

namespace ballast {
namespace {

// The parser has seen that it is there.
const EthernetHeader& ethernet_of(const Packet& packet) {
  return *packet.view().header_at<EthernetHeader>(0);
}

FrameBuffer buffer_of(const Packet& packet) {
  return {.data = packet.data, .length = packet.size, .capacity = packet.capacity};
}

}  // namespace

void Pipeline::classify(Packet& packet, Slot& slot) {
  const EthernetHeader& ethernet = ethernet_of(packet);
  const MacAddress& port_mac = snapshot_->ports[index(packet.in_port)].mac;
  // VLAN 0 is a priority tag (IEEE 802.1Q); behind it may be a tag that names a VLAN.
  if (slot.parsed.vlan_id != 0 || slot.parsed.vlan_tags > 1) {
    return drop(packet, DropReason::kVlanUnexpected);
  }
  if (ethernet.source == port_mac) {
    return drop(packet, DropReason::kSourceMacOurs);
  }
  switch (slot.parsed.kind) {
    case PacketKind::kArp:
      return classify_arp(packet, slot);
    case PacketKind::kNeighborDiscovery:
      return classify_neighbor_discovery(packet, slot);
    case PacketKind::kNotIp:
      if (slot.parsed.multicast_frame) {
        return punt(packet, slot.parsed);
      }
      return drop(packet, ethernet.destination == port_mac ? DropReason::kEtherTypeUnknown
                                                           : DropReason::kNotForUs);
    case PacketKind::kTransport:
    case PacketKind::kEchoRequest:
    case PacketKind::kIcmpError:
    case PacketKind::kIcmpOther:
    case PacketKind::kLaterFragment:
    case PacketKind::kOtherIp:
      return classify_ip(packet, slot);
  }
}

void Pipeline::classify_arp(Packet& packet, Slot& slot) {
  const ArpTarget arp = read_arp(packet.view(), slot.parsed);
  if (const LocalAddress* local = asked_for_address(packet, slot, arp.target)) {
    FrameBuffer frame = buffer_of(packet);
    const DropReason reason = answer_arp(frame, slot.parsed, mac_of(*local, packet.in_port));
    return reason == DropReason::kNone ? answer(packet, frame) : drop(packet, reason);
  }
}

void Pipeline::classify_neighbor_discovery(Packet& packet, Slot& slot) {
  const std::optional<IpAddress> target = solicited_target(packet.view(), slot.parsed);
  if (const LocalAddress* local = asked_for_address(packet, slot, target)) {
    FrameBuffer frame = buffer_of(packet);
    // A gateway is a router, and so is a virtual router's address (RFC 9568 section 8.2.2).
    const NaFlags flags{.router = local->role == AddressRole::kGateway || index(local->lease) != 0};
    const DropReason reason =
        answer_neighbor_solicitation(frame, slot.parsed, mac_of(*local, packet.in_port), flags);
    return reason == DropReason::kNone ? answer(packet, frame) : drop(packet, reason);
  }
}

// The address that somebody asks the MAC of, if it is for this node to answer; else null, with the
// packet decided.
const LocalAddress* Pipeline::asked_for_address(Packet& packet, const Slot& slot,
                                                const std::optional<IpAddress>& target) {
  const LocalAddress* local = target ? snapshot_->addresses->find(*target) : nullptr;
  if (local == nullptr || local->role == AddressRole::kNode) {
    const MacAddress& port_mac = snapshot_->ports[index(packet.in_port)].mac;
    if (!slot.parsed.multicast_frame && ethernet_of(packet).destination != port_mac) {
      drop(packet, DropReason::kNotForUs);
    } else {
      punt(packet, slot.parsed);
    }
    return nullptr;
  }
  if (!answers(*local)) {
    drop(packet, DropReason::kVipNotOwned);
    return nullptr;
  }
  if (!slot.parsed.multicast_frame && !reaches(packet, *local)) {
    drop(packet, DropReason::kNotForUs);
    return nullptr;
  }
  return local;
}

// Whether a unicast frame is addressed to the port, or to the MAC that the address is answered
// with.
bool Pipeline::reaches(const Packet& packet, const LocalAddress& local) const {
  const MacAddress& destination = ethernet_of(packet).destination;
  return destination == snapshot_->ports[index(packet.in_port)].mac ||
         destination == mac_of(local, packet.in_port);
}

// Whether a unicast frame is addressed to the port, or to a gateway that this node holds: as what a
// router is sent.
bool Pipeline::reaches_gateway(const Packet& packet) const {
  const MacAddress& destination = ethernet_of(packet).destination;
  if (destination == snapshot_->ports[index(packet.in_port)].mac) {
    return true;
  }
  const std::span<const LocalAddress> gateways = snapshot_->addresses->gateways();
  return std::any_of(gateways.begin(), gateways.end(), [&](const LocalAddress& gateway) {
    return gateway.virtual_mac == destination && forwards(gateway);
  });
}

void Pipeline::classify_ip(Packet& packet, Slot& slot) {
  const LocalAddress* local = snapshot_->addresses->find(slot.parsed.destination);
  const bool is_answered_for = local != nullptr && local->role != AddressRole::kNode;
  if (slot.parsed.multicast_frame) {
    // A unicast address inside a multicast frame is refused (RFC 1122 section 3.3.6); the node's
    // own are the kernel's business, which knows the broadcast addresses of its networks.
    return is_answered_for ? drop(packet, DropReason::kNotForUs) : punt(packet, slot.parsed);
  }
  if (is_answered_for) {
    if (!forwards(*local)) {
      return drop(packet, DropReason::kVipNotOwned);
    }
    // Servers also send what is for one of these to their gateway.
    if (!reaches(packet, *local) && !reaches_gateway(packet)) {
      return drop(packet, DropReason::kNotForUs);
    }
    slot.local = local;
    return classify_for_local(packet, slot);
  }
  if (!reaches_gateway(packet)) {
    return drop(packet, DropReason::kNotForUs);
  }
  // Until ballastd has said what this node's addresses are, all that reaches the port's MAC is the
  // kernel's, so that the node stays reachable.
  if (local != nullptr || snapshot_->generation == 0) {
    return punt_routed(packet, slot);
  }
  classify_for_others(packet, slot);
}

void Pipeline::classify_for_local(Packet& packet, Slot& slot) {
  switch (slot.parsed.kind) {
    case PacketKind::kTransport:
    case PacketKind::kLaterFragment:
      return classify_transport(packet, slot);
    case PacketKind::kIcmpError:
      return classify_icmp_error(packet, slot);
    case PacketKind::kEchoRequest:
      return answer_ping(packet, slot);
    case PacketKind::kIcmpOther:
      return drop(packet, DropReason::kIcmpOther);
    case PacketKind::kOtherIp:
    case PacketKind::kArp:
    case PacketKind::kNeighborDiscovery:
    case PacketKind::kNotIp:
      return drop(packet, DropReason::kProtocolUnsupported);
  }
}

void Pipeline::classify_transport(Packet& packet, Slot& slot) {
  switch (slot.local->role) {
    case AddressRole::kLocal:
      if (translations_ == nullptr) {
        break;
      }
      [[fallthrough]];
    case AddressRole::kVip:
      open_gate(gates_, slot.local->address, packet, slot.local);
      return slot.parsed.fragment ? enter_fragment(packet, slot) : enter_transport(packet, slot);
    case AddressRole::kGateway:
    case AddressRole::kNode:
      break;
  }
  refuse(packet, slot, DropReason::kNoService, snapshot_->on_no_service);
}

// About a packet that went from the VIP to a client, or from a local address to a server.
void Pipeline::classify_icmp_error(Packet& packet, Slot& slot) {
  const InnerPacket& inner = slot.parsed.inner;
  const bool from_server = slot.local->role == AddressRole::kLocal && translations_ != nullptr;
  if (!inner.has_ports || (slot.local->role != AddressRole::kVip && !from_server)) {
    return drop(packet, DropReason::kIcmpUnmatched);
  }
  if (from_server) {
    return enter_icmp_error_to_server(packet, slot);
  }
  slot.flow() = {inner.destination, inner.source, inner.destination_port, inner.source_port,
                 inner.protocol};
  slot.from = Side::kClient;
  enter_flow(packet, slot);
}

// About a packet that went to a server: what it quotes has the shape of a reply's key.
void Pipeline::enter_icmp_error_to_server(Packet& packet, Slot& slot) {
  const InnerPacket& inner = slot.parsed.inner;
  slot.key.assign({inner.destination, inner.destination_port, inner.protocol}, inner.source,
                  inner.source_port);
  slot.from = Side::kServer;
  enter_flow(packet, slot);
}

void Pipeline::answer_ping(Packet& packet, const Slot& slot) {
  if (!answers(*slot.local)) {
    return drop(packet, DropReason::kVipNotOwned);
  }
  FrameBuffer frame = buffer_of(packet);
  const DropReason reason =
      slot.local->answer_ping ? answer_echo(frame, slot.parsed) : DropReason::kIcmpOther;
  return reason == DropReason::kNone ? answer(packet, frame) : drop(packet, reason);
}

// What a router is sent: a server's reply in NAT, or something that is none of ours.
void Pipeline::classify_for_others(Packet& packet, Slot& slot) {
  slot.local = nullptr;
  if (translations_ == nullptr || !classify_nat_reply(packet, slot)) {
    pass_to_kernel_router(packet, slot, DropReason::kTransit);
  }
}

// False when the packet is not about a server's.
bool Pipeline::classify_nat_reply(Packet& packet, Slot& slot) {
  const ParsedPacket& parsed = slot.parsed;
  const auto is_server = [this](const IpAddress& address) {
    return !snapshot_->reply_sources->find(address).empty();
  };
  if (parsed.kind == PacketKind::kIcmpError) {
    if (!parsed.inner.has_ports || !is_server(parsed.inner.destination)) {
      return false;
    }
    enter_icmp_error_to_server(packet, slot);
    return true;
  }
  const bool is_of_a_flow = parsed.kind == PacketKind::kTransport ||
                            (parsed.kind == PacketKind::kLaterFragment && may_have_ports(parsed));
  if (!is_of_a_flow || !is_server(parsed.source)) {
    return false;
  }
  open_gate(reply_gates_, parsed.source, packet, nullptr);
  parsed.fragment ? enter_fragment(packet, slot) : enter_transport(packet, slot);
  return true;
}

// The next plain packet that comes the same way need not be looked at again.
void Pipeline::open_gate(Gates& gates, const IpAddress& address, const Packet& packet,
                         const LocalAddress* local) {
  gates[gate_of(address)] = {.address = address,
                             .local = local,
                             .epoch = epoch_,
                             .frame_destination = mac_word(ethernet_of(packet).destination),
                             .port_mac = mac_word(snapshot_->ports[index(packet.in_port)].mac),
                             .port = packet.in_port};
}

// Who owns a flow, by slot.key.
WorkerIndex Pipeline::owner_of(const Packet& packet, const Slot& slot) const {
  const Steering& steering = around_.steering;
  const FlowKey& key = slot.flow();
  const bool is_nat_reply = slot.local == nullptr;
  if (is_nat_reply || goes_by_client(slot)) {
    return steering.owner_by_client(key.client, key.client_port);
  }
  if (packet.has_rss_hash && is_hashed_by_ports(slot.parsed)) {
    return steering.owner(packet.rss_hash);
  }
  return slot.from == Side::kClient
             ? steering.owner(key)
             : steering.owner_of_reply(key.vip, key.vip_port, key.client, key.client_port);
}

bool Pipeline::goes_by_client(const Slot& slot) const {
  if (slot.from != Side::kClient || !slot.local->steers_by_client) {
    return false;
  }
  const FlowKey& flow = slot.flow();
  return snapshot_->steered_by_client->find({flow.vip, flow.vip_port, flow.protocol}) != nullptr;
}

void Pipeline::hand_over(Packet& packet, const Slot& slot, WorkerIndex owner, HandOver what_for) {
  packet.verdict = Verdict::kHandOver;
  packet.owner = owner;
  packet.hand_over_for = what_for;
  if (what_for == HandOver::kFragment) {
    return around_.counters.handed_over_fragments.add(1);
  }
  packet.datagram_source_port = slot.parsed.source_port;
  packet.datagram_destination_port = slot.parsed.destination_port;
  packet.datagram_protocol = slot.parsed.protocol;
  around_.counters.handed_over.add(1);
}

}  // namespace ballast
