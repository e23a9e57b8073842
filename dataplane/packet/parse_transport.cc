// TCP (RFC 9293), UDP (RFC 768) and fragments (RFC 1858), both families.
#include "dataplane/packet/parse_steps.h"

namespace ballast::parse_steps {
namespace {

// RFC 1858 section 3: a first fragment too short for its header hides the rest of it from every
// filter.
DropReason cut_off(const ParsedPacket& packet, DropReason whole) {
  return packet.fragment ? DropReason::kFragmentTiny : whole;
}

DropReason check_ports(Big16 source, Big16 destination, ParsedPacket& out) {
  out.kind = PacketKind::kTransport;
  out.source_port = source;
  out.destination_port = destination;
  return source == Big16{} || destination == Big16{} ? DropReason::kPortZero : DropReason::kNone;
}

DropReason parse_tcp(const PacketView& frame, ParsedPacket& out) {
  const size_t length = transport_length(out);
  const auto* tcp = frame.header_at<TcpHeader>(out.transport_offset);
  if (tcp == nullptr || length < sizeof(TcpHeader)) {
    return cut_off(out, DropReason::kTcpShort);
  }
  const size_t header_length = tcp->header_length();
  if (header_length < sizeof(TcpHeader)) {
    return DropReason::kTcpHeaderLength;
  }
  if (header_length > length) {
    return cut_off(out, DropReason::kTcpHeaderLength);
  }
  if (header_length > frame.size() - out.transport_offset) {
    return DropReason::kTcpShort;  // the options lie in another segment of a chained frame
  }
  if (are_refused_tcp_flags(tcp->flags)) {
    return DropReason::kTcpFlags;
  }
  out.tcp_flags = tcp->flags & kNamedTcpFlags;
  out.payload_length = static_cast<uint16_t>(length - header_length);
  return check_ports(tcp->source_port, tcp->destination_port, out);
}

DropReason parse_udp(const PacketView& frame, ParsedPacket& out) {
  const size_t length = transport_length(out);
  const auto* udp = frame.header_at<UdpHeader>(out.transport_offset);
  if (udp == nullptr || length < sizeof(UdpHeader)) {
    return cut_off(out, DropReason::kUdpShort);
  }
  // The length counts the whole datagram; of a first fragment only a part of it is here.
  const size_t udp_length = udp->length.to_host();
  if (udp_length < sizeof(UdpHeader) || (udp_length > length && !out.fragment)) {
    return DropReason::kUdpLength;
  }
  out.payload_length =
      static_cast<uint16_t>((udp_length < length ? udp_length : length) - sizeof(UdpHeader));
  return check_ports(udp->source_port, udp->destination_port, out);
}

}  // namespace

DropReason parse_transport(const PacketView& frame, bool fragment_header, ParsedPacket& out) {
  switch (out.protocol) {
    case IpProtocol::kTcp:
      return parse_tcp(frame, out);
    case IpProtocol::kUdp:
      return parse_udp(frame, out);
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmpv6:
      // Each in its own family only; the other way round it is a protocol like any other.
      if ((out.protocol == IpProtocol::kIcmp) == (out.family == Family::kIpv4)) {
        return parse_icmp(frame, fragment_header, out);
      }
      break;
    default:
      break;
  }
  out.kind = PacketKind::kOtherIp;
  return DropReason::kNone;
}

DropReason parse_later_fragment(size_t fragment_offset, ParsedPacket& out) {
  // At 8 bytes it would overwrite the flags of a TCP header that a filter has seen (RFC 1858
  // section 4).
  if (out.protocol == IpProtocol::kTcp && fragment_offset < sizeof(TcpHeader)) {
    return DropReason::kFragmentTiny;
  }
  out.kind = PacketKind::kLaterFragment;
  return DropReason::kNone;
}

}  // namespace ballast::parse_steps
