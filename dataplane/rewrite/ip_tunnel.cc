#include "dataplane/rewrite/ip_tunnel.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

namespace ballast {

// What of the inner packet stands in the outer headers.
struct TunnelHeader::Inner {
  Family family;
  uint8_t traffic_class;
  bool dont_fragment;
  uint16_t length;

  [[nodiscard]] IpProtocol protocol() const {
    return family == Family::kIpv4 ? IpProtocol::kIpIp : IpProtocol::kIpv6;
  }
  [[nodiscard]] Big16 ether_type() const {
    return family == Family::kIpv4 ? kEtherTypeIpv4 : kEtherTypeIpv6;
  }
};

namespace {

constexpr size_t kLeastIpv4Mtu = 68;
constexpr size_t kLeastIpv6Mtu = 1280;

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
  switch (kind) {
    case PacketKind::kArp:
    case PacketKind::kNeighborDiscovery:
    case PacketKind::kNotIp:
      return false;
    default:
      return true;
  }
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
      overhead_(tunnel_overhead(tunnel.encapsulation, family_)) {
  if (family_ == Family::kIpv4) {
    ipv4_.set_version_and_header_length(sizeof(Ipv4Header));
    ipv4_.ttl = tunnel.ttl;
    ipv4_.destination = tunnel.destination.v4_bytes();
    ipv4_sum_ = sum_bytes(&ipv4_, sizeof(ipv4_));
  } else {
    ipv6_.hop_limit = tunnel.ttl;
    ipv6_.destination = tunnel.destination.bytes();
  }
}

RewriteResult TunnelHeader::encapsulate(PacketView& frame, size_t headroom,
                                        const ParsedHeaders& packet,
                                        const OuterFields& outer) const {
  const RewriteResult result = check(frame, headroom, packet, outer);
  if (result != RewriteResult::kDone) {
    return result;
  }
  Inner inner{packet.family, 0, true, packet.network_length};
  if (packet.family == Family::kIpv4) {
    const auto& ip = *frame.header_at<Ipv4Header>(packet.network_offset);
    inner.traffic_class = ip.traffic_class;
    inner.dont_fragment = ip.dont_fragment();
  } else {
    inner.traffic_class = frame.header_at<Ipv6Header>(packet.network_offset)->traffic_class();
  }
  const Big16 checksum = udp_checksum(frame, packet, inner, outer);

  const size_t end = size_t{packet.network_offset} + packet.network_length;
  const size_t size = frame.size() == frame.frame_size() ? end : frame.size();
  const size_t frame_size = frame.size() == frame.frame_size() ? end : frame.frame_size();
  if (packet.network_offset == sizeof(EthernetHeader)) [[likely]] {
    std::memcpy(frame.data() - overhead_, frame.data(), sizeof(EthernetHeader));
  } else {
    std::memmove(frame.data() - overhead_, frame.data(), packet.network_offset);
  }
  frame = PacketView(frame.data() - overhead_, size + overhead_, frame_size + overhead_);
  *frame.header_at<Big16>(packet.network_offset - sizeof(Big16)) =
      family_ == Family::kIpv4 ? kEtherTypeIpv4 : kEtherTypeIpv6;
  if (family_ == Family::kIpv4) {
    write_ipv4(frame, packet.network_offset, inner, outer);
  } else {
    write_ipv6(frame, packet.network_offset, inner, outer);
  }
  write_shim(frame, packet.network_offset + ip_header_length(family_), inner, outer, checksum);
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

// The prepared header is copied first and completed where it lies: a header put together elsewhere
// would have to leave the store buffer before it could be copied in one.
void TunnelHeader::write_ipv4(PacketView frame, size_t offset, const Inner& inner,
                              const OuterFields& outer) const {
  const bool dont_fragment =
      !outer.is_cut && (inner.dont_fragment || tunnel_.dont_fragment == OuterDontFragment::kAlways);
  const Big16 total_length = Big16::from_host(static_cast<uint16_t>(inner.length + overhead_));
  const Big16 identification = Big16::from_host(dont_fragment ? uint16_t{0} : outer.identification);
  const Big16 fragment = Big16::from_host(dont_fragment ? kIpv4DontFragment : uint16_t{0});
  const uint8_t protocol = wire_byte(outer_protocol(tunnel_.encapsulation, inner.protocol()));
  const IpAddress::V4Bytes source = outer.source.v4_bytes();
  // Of the two words that are filled in halfway the other half is in the prepared sum.
  const auto word = [](Big16 value) { return uint64_t{std::bit_cast<uint16_t>(value)}; };
  ChecksumSum sum = ipv4_sum_;
  sum.add(word(Big16::from_host(inner.traffic_class)) + word(total_length) + word(identification) +
          word(fragment) + word(Big16::from_host(protocol)) + std::bit_cast<uint32_t>(source));

  auto& ip = *frame.header_at<Ipv4Header>(offset);
  ip = ipv4_;
  ip.traffic_class = inner.traffic_class;
  ip.total_length = total_length;
  ip.identification = identification;
  ip.fragment = fragment;
  ip.protocol = protocol;
  ip.checksum = finish_checksum(sum);
  ip.source = source;
}

void TunnelHeader::write_ipv6(PacketView frame, size_t offset, const Inner& inner,
                              const OuterFields& outer) const {
  const uint32_t label = outer.flow_hash & 0xfffffU;
  auto& ip = *frame.header_at<Ipv6Header>(offset);
  ip = ipv6_;
  ip.set_version_class_flow(inner.traffic_class, label == 0 ? 1 : label);
  ip.payload_length =
      Big16::from_host(static_cast<uint16_t>(inner.length + overhead_ - sizeof(Ipv6Header)));
  ip.next_header = wire_byte(outer_protocol(tunnel_.encapsulation, inner.protocol()));
  ip.source = outer.source.bytes();
}

void TunnelHeader::write_shim(PacketView frame, size_t offset, const Inner& inner,
                              const OuterFields& outer, Big16 udp_checksum) const {
  switch (tunnel_.encapsulation) {
    case Encapsulation::kIpIp:
      return;
    case Encapsulation::kGre:
      *frame.header_at<GreHeader>(offset) = {{}, inner.ether_type()};
      return;
    case Encapsulation::kGue: {
      const auto length =
          static_cast<uint16_t>(inner.length + sizeof(UdpHeader) + sizeof(GueHeader));
      *frame.header_at<UdpHeader>(offset) = {gue_source_port(outer.flow_hash), tunnel_.gue_port,
                                             Big16::from_host(length), udp_checksum};
      *frame.header_at<GueHeader>(offset + sizeof(UdpHeader)) = {
          0, wire_byte(inner.protocol()), {}};
      return;
    }
  }
}

// Of GUE over IPv6; 0 where there is none.
Big16 TunnelHeader::udp_checksum(PacketView frame, const ParsedHeaders& packet, const Inner& inner,
                                 const OuterFields& outer) const {
  if (tunnel_.encapsulation != Encapsulation::kGue || family_ == Family::kIpv4 ||
      tunnel_.checksum == TunnelChecksum::kNone) {
    return {};
  }
  const std::optional<ChecksumSum> inner_part = inner_sum(frame, packet);
  if (!inner_part) {
    return {};
  }
  const auto length = static_cast<uint16_t>(inner.length + sizeof(UdpHeader) + sizeof(GueHeader));
  ChecksumSum sum = *inner_part;
  sum.add(outer.source.bytes());
  sum.add(tunnel_.destination.bytes());
  sum.add(Big16::from_host(wire_byte(IpProtocol::kUdp)));
  sum.add(Big16::from_host(length));  // of the pseudo header
  sum.add(Big16::from_host(length));  // of the UDP header
  sum.add(gue_source_port(outer.flow_hash));
  sum.add(tunnel_.gue_port);
  sum.add(Big16::from_host(wire_byte(inner.protocol())));
  return finish_udp_checksum(sum);
}

}  // namespace ballast
