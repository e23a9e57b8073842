#include "dataplane/rewrite/ip_tunnel.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

namespace ballast {

namespace {

constexpr size_t kLeastIpv4Mtu = 68;
constexpr size_t kLeastIpv6Mtu = 1280;

IpProtocol protocol_of(Family inner) {
  return inner == Family::kIpv4 ? IpProtocol::kIpIp : IpProtocol::kIpv6;
}

size_t ip_header_length(Family family) {
  return family == Family::kIpv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
}

// Between the outer IP header and the inner one.
size_t shim_length(Encapsulation encapsulation) {
  switch (encapsulation) {
    case Encapsulation::kIpIp:
      return 0;
    case Encapsulation::kGre:
      return sizeof(GreHeader);
    case Encapsulation::kGue:
      return sizeof(UdpHeader) + sizeof(GueHeader);
  }
  return 0;
}

bool is_ip_to_forward(PacketKind kind) {
  return kind != PacketKind::kArp && kind != PacketKind::kNeighborDiscovery &&
         kind != PacketKind::kNotIp;
}

IpProtocol outer_protocol(Encapsulation encapsulation, IpProtocol inner) {
  switch (encapsulation) {
    case Encapsulation::kIpIp:
      return inner;
    case Encapsulation::kGre:
      return IpProtocol::kGre;
    case Encapsulation::kGue:
      return IpProtocol::kUdp;
  }
  return inner;
}

// Whether a segment's own checksum says what its bytes sum up to: a whole TCP segment, or a UDP
// datagram with a checksum that ends where the packet ends. Behind extension headers other
// addresses may count than those of the IP header (RFC 6275 section 6.3), so that none may be
// there.
bool sum_follows_from_checksum(PacketView frame, const ParsedHeaders& packet) {
  const size_t headers = size_t{packet.transport_offset} - packet.network_offset;
  if (packet.kind != PacketKind::kTransport || packet.fragment ||
      (packet.family == Family::kIpv6 && headers != sizeof(Ipv6Header))) {
    return false;
  }
  if (packet.protocol == IpProtocol::kTcp) {
    return true;
  }
  const auto* udp = frame.header_at<UdpHeader>(packet.transport_offset);
  return udp != nullptr && udp->checksum != Big16{} &&
         udp->length.to_host() == packet.network_length - headers;
}

// The sum over the inner packet, which begins at an even place of the outer one; nothing when part
// of it cannot be read.
std::optional<ChecksumSum> inner_sum(PacketView frame, const ParsedHeaders& packet) {
  if (sum_follows_from_checksum(frame, packet)) {
    // Header and segment of a good packet each sum up to zero with what the checksum covers:
    // nothing for the IPv4 header, the complement of the pseudo header for the segment.
    ChecksumSum sum;
    if (packet.family == Family::kIpv6) {
      sum = sum_bytes(frame.data() + packet.network_offset, sizeof(Ipv6Header));
    }
    const size_t headers = size_t{packet.transport_offset} - packet.network_offset;
    const ChecksumSum pseudo =
        pseudo_header_sum(packet.source, packet.destination, packet.protocol,
                          static_cast<uint32_t>(packet.network_length - headers));
    sum.add(finish_checksum(pseudo));
    return sum;
  }
  if (size_t{packet.network_offset} + packet.network_length > frame.size()) {
    return std::nullopt;
  }
  return sum_bytes(frame.data() + packet.network_offset, packet.network_length);
}

}  // namespace

uint16_t tunnel_overhead(Encapsulation encapsulation, Family outer) {
  return static_cast<uint16_t>(ip_header_length(outer) + shim_length(encapsulation));
}

uint16_t tunnel_mtu(Encapsulation encapsulation, Family outer, Family inner, uint16_t link_mtu) {
  const size_t overhead = tunnel_overhead(encapsulation, outer);
  const size_t fits = link_mtu > overhead ? link_mtu - overhead : 0;
  return static_cast<uint16_t>(
      std::max(fits, inner == Family::kIpv4 ? kLeastIpv4Mtu : kLeastIpv6Mtu));
}

TunnelHeader::TunnelHeader(const Tunnel& tunnel)
    : tunnel_(tunnel),
      family_(tunnel.destination.family()),
      computes_checksum_(tunnel.encapsulation == Encapsulation::kGue && family_ == Family::kIpv6 &&
                         tunnel.checksum == TunnelChecksum::kComputed),
      overhead_(tunnel_overhead(tunnel.encapsulation, family_)) {
  prepare(Family::kIpv4);
  prepare(Family::kIpv6);
}

void TunnelHeader::prepare(Family inner) {
  Prepared& prepared = prepared_[inner == Family::kIpv4 ? 0 : 1];
  const IpProtocol inner_protocol = protocol_of(inner);
  const uint8_t protocol = wire_byte(outer_protocol(tunnel_.encapsulation, inner_protocol));
  if (family_ == Family::kIpv4) {
    auto& ip = write<Ipv4Header>(prepared.bytes.data());
    ip.set_version_and_header_length(sizeof(Ipv4Header));
    ip.ttl = tunnel_.ttl;
    ip.protocol = protocol;
    ip.destination = tunnel_.destination.v4_bytes();
    prepared.sum = sum_bytes(&ip, sizeof(ip)).folded();
  } else {
    auto& ip = write<Ipv6Header>(prepared.bytes.data());
    ip.next_header = protocol;
    ip.hop_limit = tunnel_.ttl;
    ip.destination = tunnel_.destination.bytes();
  }
  uint8_t* shim = prepared.bytes.data() + ip_header_length(family_);
  if (tunnel_.encapsulation == Encapsulation::kGre) {
    write<GreHeader>(shim) = {{}, inner == Family::kIpv4 ? kEtherTypeIpv4 : kEtherTypeIpv6};
  } else if (tunnel_.encapsulation == Encapsulation::kGue) {
    write<UdpHeader>(shim).destination_port = tunnel_.gue_port;
    write<GueHeader>(shim + sizeof(UdpHeader)) = {0, wire_byte(inner_protocol), {}};
  }
}

RewriteResult TunnelHeader::encapsulate(PacketView& frame, size_t headroom,
                                        const ParsedHeaders& packet,
                                        const OuterFields& outer) const {
  const RewriteResult result = check(frame, headroom, packet, outer);
  if (result != RewriteResult::kDone) {
    return result;
  }
  const Inner inner = Inner::of(frame.data() + packet.network_offset, packet);
  const Big16 checksum = computes_checksum_ ? udp_checksum(frame, packet, outer) : Big16{};
  frame = make_room(frame, packet);
  write_headers(frame.data() + packet.network_offset, inner, outer, checksum);
  return RewriteResult::kDone;
}

RewriteResult TunnelHeader::check(PacketView frame, size_t headroom, const ParsedHeaders& packet,
                                  const OuterFields& outer) const {
  const bool v4 = packet.family == Family::kIpv4;
  if (!is_ip_to_forward(packet.kind) || outer.source.family() != family_ ||
      packet.transport_offset > frame.size() ||
      size_t{packet.network_offset} + packet.network_length > frame.frame_size()) {
    return RewriteResult::kNotApplicable;
  }
  if (size_t{packet.network_length} + overhead_ > outer.mtu) {
    const bool may_be_told =
        v4 ? frame.header_at<Ipv4Header>(packet.network_offset)->dont_fragment()
           : packet.network_length > kLeastIpv6Mtu;
    return may_be_told ? RewriteResult::kTooBig : RewriteResult::kMustFragment;
  }
  return headroom < overhead_ ? RewriteResult::kNoHeadroom : RewriteResult::kDone;
}

// The frame that begins with the link-layer header, moved to the front.
PacketView TunnelHeader::make_room(PacketView frame, const ParsedHeaders& packet) const {
  uint8_t* begin = frame.data() - overhead_;
  std::memmove(begin, frame.data(), packet.network_offset);
  write<Big16>(begin + packet.network_offset - sizeof(Big16)) = ether_type();
  if (frame.size() == frame.frame_size()) {
    return {begin, size_t{packet.network_offset} + packet.network_length + overhead_};
  }
  return {begin, frame.size() + overhead_, frame.frame_size() + overhead_};
}

// Of GUE over IPv6; 0 where it cannot be had.
Big16 TunnelHeader::udp_checksum(PacketView frame, const ParsedHeaders& packet,
                                 const OuterFields& outer) const {
  const std::optional<ChecksumSum> inner_part = inner_sum(frame, packet);
  if (!inner_part) {
    return {};
  }
  const auto length =
      static_cast<uint16_t>(packet.network_length + sizeof(UdpHeader) + sizeof(GueHeader));
  ChecksumSum sum = *inner_part;
  sum.add(outer.source.bytes());
  sum.add(tunnel_.destination.bytes());
  sum.add(Big16::from_host(wire_byte(IpProtocol::kUdp)));
  sum.add(Big16::from_host(length));  // of the pseudo header
  sum.add(Big16::from_host(length));  // of the UDP header
  sum.add(gue_source_port(outer.flow_hash));
  sum.add(tunnel_.gue_port);
  sum.add(Big16::from_host(wire_byte(protocol_of(packet.family))));
  return finish_udp_checksum(sum);
}

}  // namespace ballast
