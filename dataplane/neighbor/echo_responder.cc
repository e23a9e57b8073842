#include "dataplane/neighbor/echo_responder.h"

#include <bit>
#include <cstring>
#include <utility>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

constexpr uint8_t kReplyTtl = 64;

// Two bytes that lie side by side, the first at an even offset, as a checksum sees them.
Big16 word(uint8_t first, uint8_t second) {
  return Big16::from_host(static_cast<uint16_t>(first << 8 | second));
}

// The checksum does not feel that two addresses change places.
void turn_around(Ipv4Header& ip) {
  std::swap(ip.source, ip.destination);
  ip.checksum =
      updated_checksum(ip.checksum, word(ip.ttl, ip.protocol), word(kReplyTtl, ip.protocol));
  ip.ttl = kReplyTtl;
}

void turn_around(Ipv6Header& ip, uint16_t message_length) {
  std::swap(ip.source, ip.destination);
  ip.set_version_class_flow(ip.traffic_class(), 0);  // a flow label is its sender's (RFC 6437)
  ip.payload_length = Big16::from_host(message_length);
  ip.next_header = wire_byte(IpProtocol::kIcmpv6);
  ip.hop_limit = kReplyTtl;
}

DropReason check(const FrameBuffer& frame, const ParsedPacket& packet) {
  if (packet.kind != PacketKind::kEchoRequest) {
    return DropReason::kIcmpOther;
  }
  if (packet.fragment) {
    return DropReason::kFragmentLater;
  }
  const size_t end = size_t{packet.network_offset} + packet.network_length;
  if (end > frame.length || packet.transport_offset + sizeof(IcmpHeader) > end) {
    return DropReason::kIcmpShort;
  }
  const auto* ethernet = frame.view().header_at<EthernetHeader>(0);
  if (packet.multicast_frame || packet.destination.is_multicast() ||
      packet.destination.is_broadcast()) {
    return DropReason::kDestinationAddress;
  }
  if (ethernet->source.is_multicast() || packet.source.is_multicast() ||
      packet.source.is_unspecified()) {
    return DropReason::kSourceAddress;
  }
  return DropReason::kNone;
}

}  // namespace

DropReason answer_echo(FrameBuffer& frame, const ParsedPacket& packet) {
  const DropReason reason = check(frame, packet);
  if (reason != DropReason::kNone) {
    return reason;
  }
  const PacketView view = frame.view();
  const bool v4 = packet.family == Family::kIpv4;
  const size_t end = size_t{packet.network_offset} + packet.network_length;
  const size_t length = end - packet.transport_offset;

  auto* ethernet = view.header_at<EthernetHeader>(0);
  std::swap(ethernet->source, ethernet->destination);

  // Neither length nor addresses of the pseudo header change but in place, so the type alone
  // counts.
  auto* icmp = view.header_at<IcmpHeader>(packet.transport_offset);
  const uint8_t reply = v4 ? kIcmpEchoReply : kIcmpv6EchoReply;
  icmp->checksum =
      updated_checksum(icmp->checksum, word(icmp->type, icmp->code), word(reply, icmp->code));
  icmp->type = reply;

  if (v4) {
    turn_around(*view.header_at<Ipv4Header>(packet.network_offset));
    frame.length = static_cast<uint16_t>(end);
    return DropReason::kNone;
  }
  turn_around(*view.header_at<Ipv6Header>(packet.network_offset), static_cast<uint16_t>(length));
  const size_t message_offset = packet.network_offset + sizeof(Ipv6Header);
  std::memmove(frame.data + message_offset, frame.data + packet.transport_offset, length);
  frame.length = static_cast<uint16_t>(message_offset + length);
  return DropReason::kNone;
}

}  // namespace ballast
