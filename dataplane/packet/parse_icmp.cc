// ICMP (RFC 792, RFC 1122 section 3.2.2) and ICMPv6 (RFC 4443), and the packets that their errors
// quote.
#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse_steps.h"

namespace ballast::parse_steps {
namespace {

// "The original datagram's header and the first 64 bits of its data" (RFC 792); RFC 4443 promises
// more.
constexpr size_t kQuotedBytes = 8;

// Source quench is deprecated and to be ignored (RFC 6633); a redirect is no error about a
// connection.
PacketKind kind_of(Family family, uint8_t type) {
  if (family == Family::kIpv4) {
    switch (type) {
      case kIcmpEchoRequest:
        return PacketKind::kEchoRequest;
      case kIcmpDestinationUnreachable:
      case kIcmpTimeExceeded:
      case kIcmpParameterProblem:
        return PacketKind::kIcmpError;
      default:
        return PacketKind::kIcmpOther;
    }
  }
  switch (type) {
    case kIcmpv6EchoRequest:
      return PacketKind::kEchoRequest;
    case kIcmpv6DestinationUnreachable:
    case kIcmpv6PacketTooBig:
    case kIcmpv6TimeExceeded:
    case kIcmpv6ParameterProblem:
      return PacketKind::kIcmpError;
    case kIcmpv6RouterSolicitation:
    case kIcmpv6RouterAdvertisement:
    case kIcmpv6NeighborSolicitation:
    case kIcmpv6NeighborAdvertisement:
    case kIcmpv6Redirect:
      return PacketKind::kNeighborDiscovery;
    default:
      return PacketKind::kIcmpOther;
  }
}

// A whole message that lies in the first segment.
bool checksum_is_good(const IcmpHeader* icmp, size_t length, const ParsedPacket& packet) {
  ChecksumSum sum;
  if (packet.family == Family::kIpv6) {
    sum = pseudo_header_sum(packet.source, packet.destination, IpProtocol::kIcmpv6,
                            static_cast<uint32_t>(length));
  }
  return is_valid_checksum(sum_bytes(icmp, length, sum));
}

// Where the quoted packet's own headers end, and what they say. Reason kNone, or kIcmpInner.
struct QuotedHeader {
  DropReason reason = DropReason::kIcmpInner;
  size_t transport_offset = 0;
  IpProtocol protocol{};
  bool later_fragment = false;
  IpAddress source;
  IpAddress destination;
};

// Its checksum and total length are not looked at: some routers quote a packet they have changed
// already.
QuotedHeader quoted_ipv4(const PacketView& frame, size_t offset) {
  QuotedHeader quoted;
  const auto* ip = frame.header_at<Ipv4Header>(offset);
  if (ip == nullptr || ip->version() != 4 || ip->header_length() < sizeof(Ipv4Header)) {
    return quoted;
  }
  quoted.transport_offset = offset + ip->header_length();
  quoted.protocol = ip_protocol(ip->protocol);
  quoted.later_fragment = ip->fragment_offset() != 0;
  quoted.source = IpAddress::v4(ip->source);
  quoted.destination = IpAddress::v4(ip->destination);
  quoted.reason = DropReason::kNone;
  return quoted;
}

QuotedHeader quoted_ipv6(const PacketView& frame, size_t offset, size_t end) {
  QuotedHeader quoted;
  const auto* ip = frame.header_at<Ipv6Header>(offset);
  if (ip == nullptr || ip->version() != 6) {
    return quoted;
  }
  const ExtensionWalk walk =
      walk_extension_headers(frame, offset + sizeof(Ipv6Header), end, ip_protocol(ip->next_header));
  quoted.source = IpAddress::v6(ip->source);
  quoted.destination = IpAddress::v6(ip->destination);
  if (walk.reason != DropReason::kNone || quoted.destination.is_v4()) {
    return quoted;
  }
  quoted.transport_offset = walk.offset;
  quoted.protocol = walk.protocol;
  quoted.later_fragment = walk.fragment_offset != 0;
  quoted.reason = DropReason::kNone;
  return quoted;
}

// The first eight bytes of TCP and of UDP begin alike.
struct Ports {
  Big16 source;
  Big16 destination;
};

}  // namespace

DropReason parse_inner(const PacketView& frame, size_t offset, ParsedPacket& out) {
  const size_t end = packet_end(out);
  const QuotedHeader quoted =
      out.family == Family::kIpv4 ? quoted_ipv4(frame, offset) : quoted_ipv6(frame, offset, end);
  // Whoever sends an error sends it to the source of what went wrong; a destination that is not a
  // host's never was one.
  if (quoted.reason != DropReason::kNone || quoted.source != out.destination ||
      out.destination.is_multicast() || out.destination.is_broadcast()) {
    return DropReason::kIcmpInner;
  }
  if (quoted.transport_offset + kQuotedBytes > end ||
      quoted.transport_offset + kQuotedBytes > frame.size()) {
    return DropReason::kIcmpInner;
  }
  InnerPacket& inner = out.inner;
  inner = InnerPacket{};
  inner.source = quoted.source;
  inner.destination = quoted.destination;
  inner.protocol = quoted.protocol;
  inner.network_offset = static_cast<uint16_t>(offset);
  inner.transport_offset = static_cast<uint16_t>(quoted.transport_offset);
  inner.has_ports = !quoted.later_fragment &&
                    (quoted.protocol == IpProtocol::kTcp || quoted.protocol == IpProtocol::kUdp);
  if (inner.has_ports) {
    const auto* ports = frame.header_at<Ports>(quoted.transport_offset);
    inner.source_port = ports->source;
    inner.destination_port = ports->destination;
  }
  return DropReason::kNone;
}

DropReason parse_icmp(const PacketView& frame, bool fragment_header, ParsedPacket& out) {
  const size_t length = transport_length(out);
  const auto* icmp = frame.header_at<IcmpHeader>(out.transport_offset);
  if (icmp == nullptr || length < sizeof(IcmpHeader)) {
    return out.fragment ? DropReason::kFragmentTiny : DropReason::kIcmpShort;
  }
  const bool contiguous = length <= frame.size() - out.transport_offset;
  if (!out.fragment && contiguous && !checksum_is_good(icmp, length, out)) {
    return DropReason::kIcmpChecksum;
  }
  out.kind = kind_of(out.family, icmp->type);
  out.icmp_type = icmp->type;
  out.icmp_code = icmp->code;
  switch (out.kind) {
    case PacketKind::kNeighborDiscovery:
      // RFC 6980 section 5: never in fragments, not even an atomic one.
      return fragment_header || !contiguous ? DropReason::kNdMalformed
                                            : parse_neighbor_discovery(frame, out);
    case PacketKind::kIcmpError:
      // No host fragments an error, whose checksum could not be told then; it must not touch a
      // connection.
      if (out.fragment) {
        out.kind = PacketKind::kIcmpOther;
        return DropReason::kNone;
      }
      return parse_inner(frame, out.transport_offset + sizeof(IcmpHeader), out);
    case PacketKind::kEchoRequest:
      return out.source.is_unspecified() ? DropReason::kSourceAddress : DropReason::kNone;
    default:
      return DropReason::kNone;
  }
}

}  // namespace ballast::parse_steps
