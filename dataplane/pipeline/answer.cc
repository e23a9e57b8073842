// What goes back the way it came: answers, refusals; and what goes nowhere.
#include "dataplane/packet/wire.h"
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/rewrite/answer_policy.h"
#include "dataplane/rewrite/icmp_error.h"
#include "dataplane/rewrite/tcp_reset.h"

namespace ballast {

void Pipeline::drop(Packet& packet, DropReason reason) {
  packet.verdict = Verdict::kDrop;
  packet.reason = reason;
  around_.counters.drop(reason);
}

void Pipeline::punt(Packet& packet, const ParsedPacket& parsed) {
  if (!punt_limiter_.allows(punt_class_of(parsed), now_ns_)) {
    return drop(packet, DropReason::kPuntLimited);
  }
  packet.verdict = Verdict::kKernel;
}

// What reached a gateway's MAC: the kernel takes what is sent to the twin's.
void Pipeline::punt_routed(Packet& packet, const Slot& slot) {
  packet.view().header_at<EthernetHeader>(0)->destination =
      snapshot_->ports[index(packet.in_port)].mac;
  punt(packet, slot.parsed);
}

void Pipeline::answer(Packet& packet, const FrameBuffer& frame) {
  packet.size = frame.length;
  packet.frame_size = frame.length;
  packet.replaced = true;
  packet.fragment_mtu = 0;  // of the packet that is answered
  packet.verdict = Verdict::kTransmit;
  packet.out_port = packet.in_port;
  around_.counters.answers.add(1);
}

bool Pipeline::may_answer(const Packet& packet, const Slot& slot) {
  if (!answer_is_allowed(packet.view(), slot.parsed)) {
    return false;
  }
  if (!answer_limit_.take(now_ns_)) {
    around_.counters.answers_limited.add(1);
    return false;
  }
  return true;
}

// Not the virtual MAC while another node may be about to take it on: switches would learn it here.
MacAddress Pipeline::source_of_refusal(const Slot& slot, PortIndex port) const {
  return slot.local != nullptr && answers(*slot.local) ? mac_of(*slot.local, port)
                                                       : snapshot_->ports[index(port)].mac;
}

// Of an error that any router on the way could send: from the port that the packet came by, where
// the node has an address there.
IpAddress Pipeline::source_of_error(const Packet& packet, const Slot& slot) const {
  const IpAddress& own = snapshot_->ports[index(packet.in_port)].address(slot.parsed.family);
  if (own != IpAddress{}) {
    return own;
  }
  if (slot.local != nullptr) {
    return slot.local->address;
  }
  for (const LocalAddress& gateway : snapshot_->addresses->gateways()) {
    if (gateway.address.family() == slot.parsed.family && forwards(gateway)) {
      return gateway.address;
    }
  }
  return {};
}

void Pipeline::answer_with_error(Packet& packet, const Slot& slot, IcmpErrorKind kind,
                                 const IpAddress& source, uint16_t mtu) {
  FrameBuffer frame{.data = packet.data, .length = packet.size, .capacity = packet.capacity};
  if (source != IpAddress{} && build_icmp_error(frame, slot.parsed, kind, source,
                                                source_of_refusal(slot, packet.in_port), mtu)) {
    answer(packet, frame);
  }
}

void Pipeline::refuse(Packet& packet, const Slot& slot, DropReason reason, RefuseAction action) {
  drop(packet, reason);
  if (action == RefuseAction::kDrop || !may_answer(packet, slot)) {
    return;
  }
  if (slot.parsed.protocol != IpProtocol::kTcp) {
    return answer_with_error(packet, slot, IcmpErrorKind::kPortUnreachable, slot.local->address);
  }
  FrameBuffer frame{.data = packet.data, .length = packet.size, .capacity = packet.capacity};
  if (build_tcp_reset(frame, slot.parsed, source_of_refusal(slot, packet.in_port))) {
    answer(packet, frame);
  }
}

// From the VIP, which the client knows; a server hears it from a router.
void Pipeline::refuse_too_big(Packet& packet, const Slot& slot, uint16_t mtu) {
  drop(packet, DropReason::kTooBig);
  if (may_answer(packet, slot)) {
    answer_with_error(packet, slot, IcmpErrorKind::kTooBig,
                      slot.local != nullptr ? slot.local->address : source_of_error(packet, slot),
                      mtu);
  }
}

void Pipeline::refuse_expired(Packet& packet, const Slot& slot) {
  drop(packet, DropReason::kTtlExpired);
  if (may_answer(packet, slot)) {
    answer_with_error(packet, slot, IcmpErrorKind::kTimeExceeded, source_of_error(packet, slot));
  }
}

}  // namespace ballast
