// Whose packet is it: a VIP's, the node's own, the kernel's, or nobody's.
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
  if (const LocalAddress* vip = asked_for_vip(packet, slot, arp.target)) {
    FrameBuffer frame = buffer_of(packet);
    const DropReason reason = answer_arp(frame, slot.parsed, mac_of(*vip, packet.in_port));
    return reason == DropReason::kNone ? answer(packet, frame) : drop(packet, reason);
  }
}

void Pipeline::classify_neighbor_discovery(Packet& packet, Slot& slot) {
  const std::optional<IpAddress> target = solicited_target(packet.view(), slot.parsed);
  if (const LocalAddress* vip = asked_for_vip(packet, slot, target)) {
    FrameBuffer frame = buffer_of(packet);
    // The address of a virtual router (RFC 9568 section 8.2.2); without VRRP it is a host's.
    const NaFlags flags{.router = index(vip->lease) != 0};
    const DropReason reason =
        answer_neighbor_solicitation(frame, slot.parsed, mac_of(*vip, packet.in_port), flags);
    return reason == DropReason::kNone ? answer(packet, frame) : drop(packet, reason);
  }
}

// The VIP that somebody asks the MAC of, if it is for this node to answer; else null, with the
// packet decided.
const LocalAddress* Pipeline::asked_for_vip(Packet& packet, const Slot& slot,
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

// Whether a unicast frame is addressed to the port, or to the MAC that the VIP is answered with.
bool Pipeline::reaches(const Packet& packet, const LocalAddress& vip) const {
  const MacAddress& destination = ethernet_of(packet).destination;
  return destination == snapshot_->ports[index(packet.in_port)].mac ||
         destination == mac_of(vip, packet.in_port);
}

void Pipeline::classify_ip(Packet& packet, Slot& slot) {
  const MacAddress& frame_destination = ethernet_of(packet).destination;
  const MacAddress& port_mac = snapshot_->ports[index(packet.in_port)].mac;
  const LocalAddress* local = snapshot_->addresses->find(slot.parsed.destination);
  const bool for_vip = local != nullptr && local->role != AddressRole::kNode;
  if (slot.parsed.multicast_frame) {
    // A unicast address inside a multicast frame is refused (RFC 1122 section 3.3.6); the node's
    // own are the kernel's business, which knows the broadcast addresses of its networks.
    return for_vip ? drop(packet, DropReason::kNotForUs) : punt(packet, slot.parsed);
  }
  if (for_vip) {
    if (!forwards(*local)) {
      return drop(packet, DropReason::kVipNotOwned);
    }
    if (!reaches(packet, *local)) {
      return drop(packet, DropReason::kNotForUs);
    }
    slot.vip = local;
    open_gate(packet, *local);
    return classify_for_vip(packet, slot);
  }
  if (frame_destination != port_mac) {
    return drop(packet, DropReason::kNotForUs);
  }
  // Until ballastd has said what this node's addresses are, all that reaches the port's MAC is the
  // kernel's, so that the node stays reachable.
  if (local != nullptr || snapshot_->generation == 0) {
    return punt(packet, slot.parsed);
  }
  drop(packet, DropReason::kTransit);
}

void Pipeline::classify_for_vip(Packet& packet, Slot& slot) {
  const ParsedPacket& parsed = slot.parsed;
  switch (parsed.kind) {
    case PacketKind::kTransport:
      return enter_client_flow(packet, slot);
    case PacketKind::kIcmpError:
      // The quoted packet went from the VIP to the client.
      if (!parsed.inner.has_ports) {
        return drop(packet, DropReason::kIcmpUnmatched);
      }
      slot.key = {parsed.inner.destination, parsed.inner.source, parsed.inner.destination_port,
                  parsed.inner.source_port, parsed.inner.protocol};
      return enter_flow(packet, slot);
    case PacketKind::kEchoRequest: {
      if (!answers(*slot.vip)) {
        return drop(packet, DropReason::kVipNotOwned);
      }
      FrameBuffer frame = buffer_of(packet);
      const DropReason reason =
          slot.vip->answer_ping ? answer_echo(frame, parsed) : DropReason::kIcmpOther;
      return reason == DropReason::kNone ? answer(packet, frame) : drop(packet, reason);
    }
    case PacketKind::kIcmpOther:
      return drop(packet, DropReason::kIcmpOther);
    case PacketKind::kLaterFragment:
      return drop(packet, DropReason::kFragmentLater);
    case PacketKind::kOtherIp:
    case PacketKind::kArp:
    case PacketKind::kNeighborDiscovery:
    case PacketKind::kNotIp:
      return drop(packet, DropReason::kProtocolUnsupported);
  }
}

// The next plain packet of this burst that comes the same way need not be looked at again.
void Pipeline::open_gate(const Packet& packet, const LocalAddress& vip) {
  gates_[gate_of(vip.address)] = {.address = vip.address,
                                  .vip = &vip,
                                  .burst = burst_,
                                  .frame_destination = ethernet_of(packet).destination,
                                  .port_mac = snapshot_->ports[index(packet.in_port)].mac,
                                  .port = packet.in_port};
}

}  // namespace ballast
