#include "dataplane/rewrite/answer_policy.h"

#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

// Neither an error nor a message of an unknown type, which might be one.
bool is_icmp_query(const ParsedPacket& packet) {
  if (packet.family == Family::kIpv6) {
    return packet.icmp_type > kIcmpv6LastError;
  }
  switch (packet.icmp_type) {
    case kIcmpEchoReply:
    case kIcmpEchoRequest:
    case 13:  // timestamp
    case 14:  // timestamp reply
      return true;
    default:
      return false;
  }
}

// "An address that defines a single host": 0/8 and class E are none either (RFC 1122
// section 3.2.2).
bool is_single_host(const IpAddress& address) {
  if (address.is_unspecified() || address.is_multicast() || address.is_broadcast() ||
      address.is_loopback()) {
    return false;
  }
  const uint8_t first = address.v4_bytes()[0];
  return address.is_v6() || (first != 0 && first < 240);
}

bool kind_may_be_answered(const ParsedPacket& packet) {
  switch (packet.kind) {
    case PacketKind::kTransport:
      return packet.protocol != IpProtocol::kTcp || (packet.tcp_flags & kRst) == 0;
    case PacketKind::kEchoRequest:
    case PacketKind::kOtherIp:
      return true;
    case PacketKind::kIcmpOther:
      return is_icmp_query(packet);
    case PacketKind::kIcmpError:
    case PacketKind::kLaterFragment:
    case PacketKind::kArp:
    case PacketKind::kNeighborDiscovery:
    case PacketKind::kNotIp:
      return false;
  }
  return false;
}

}  // namespace

bool answer_is_allowed(PacketView frame, const ParsedPacket& packet) {
  const auto* ethernet = frame.header_at<EthernetHeader>(0);
  return ethernet != nullptr && kind_may_be_answered(packet) && !packet.multicast_frame &&
         !ethernet->source.is_multicast() && !ethernet->source.is_zero() &&
         !packet.destination.is_multicast() && !packet.destination.is_broadcast() &&
         is_single_host(packet.source);
}

}  // namespace ballast
