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

void Pipeline::answer(Packet& packet, const FrameBuffer& frame) {
  packet.size = frame.length;
  packet.frame_size = frame.length;
  packet.replaced = true;
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
MacAddress Pipeline::source_of_refusal(const LocalAddress& vip, PortIndex port) const {
  return answers(vip) ? mac_of(vip, port) : snapshot_->ports[index(port)].mac;
}

void Pipeline::refuse(Packet& packet, const Slot& slot, DropReason reason, RefuseAction action) {
  drop(packet, reason);
  if (action == RefuseAction::kDrop || !may_answer(packet, slot)) {
    return;
  }
  FrameBuffer frame{.data = packet.data, .length = packet.size, .capacity = packet.capacity};
  const MacAddress source = source_of_refusal(*slot.vip, packet.in_port);
  const bool built = slot.parsed.protocol == IpProtocol::kTcp
                         ? build_tcp_reset(frame, slot.parsed, source)
                         : build_icmp_error(frame, slot.parsed, IcmpErrorKind::kPortUnreachable,
                                            slot.vip->address, source);
  if (built) {
    answer(packet, frame);
  }
}

void Pipeline::refuse_too_big(Packet& packet, const Slot& slot, uint16_t mtu) {
  drop(packet, DropReason::kTooBig);
  if (!may_answer(packet, slot)) {
    return;
  }
  FrameBuffer frame{.data = packet.data, .length = packet.size, .capacity = packet.capacity};
  if (build_icmp_error(frame, slot.parsed, IcmpErrorKind::kTooBig, slot.vip->address,
                       source_of_refusal(*slot.vip, packet.in_port), mtu)) {
    answer(packet, frame);
  }
}

}  // namespace ballast
