// The packets that nearly all traffic is made of, recognised at one glance: a TCP segment or UDP
// datagram in untagged Ethernet, IPv4 without options or IPv6 without extension headers, no
// fragment, between two ordinary unicast addresses.
//
// Theory of operation
//   parse_plain() says "plain" or "not plain", never why. It checks no less than parse() does for
//   such a packet, in straight lines without calls, and fills in the same values. Whatever is not
//   plain, good or bad, goes to parse(), which knows every form and has a name for every fault.
//   That the two agree is a property of the parser's tests and of its fuzzer.
//   All of it is inlined by force: what it finds out stays in registers for the stage that asks.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <emmintrin.h>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"
#include "dataplane/packet/tcp_flags.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace plain_packet {

struct Ipv4Frame {
  EthernetHeader ethernet;
  Ipv4Header ip;
};
static_assert(sizeof(Ipv4Frame) == 34);

struct Ipv6Frame {
  EthernetHeader ethernet;
  Ipv6Header ip;
};
static_assert(sizeof(Ipv6Frame) == 54);

// 1.0.0.0 to 223.255.255.255 without loopback: what needs no closer look. In host order.
constexpr bool is_ordinary(uint32_t address) {
  return address - 0x01000000U < 0xdf000000U && address >> 24 != 127;
}

// RFC 1071 over a header without options.
[[gnu::always_inline]] inline bool header_checksum_is_good(const Ipv4Header& ip) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&ip);
  uint64_t first = 0;
  uint64_t second = 0;
  uint32_t third = 0;
  static_assert(sizeof(first) + sizeof(second) + sizeof(third) == sizeof(ip));
  std::memcpy(&first, bytes, sizeof(first));
  std::memcpy(&second, bytes + sizeof(first), sizeof(second));
  std::memcpy(&third, bytes + sizeof(first) + sizeof(second), sizeof(third));
  ChecksumSum sum;
  sum.add(first);
  sum.add(second);
  sum.add(uint64_t{third});
  return is_valid_checksum(sum);
}

// As IpAddress::v4(), stored as one word of 16 bytes: who copies it next need not wait until two
// halves have left the store buffer.
[[gnu::always_inline]] inline IpAddress mapped(IpAddress::V4Bytes address) {
  const IpAddress::Words words = IpAddress::v4(address).words();
  return std::bit_cast<IpAddress>(
      _mm_set_epi64x(static_cast<int64_t>(words.second), static_cast<int64_t>(words.first)));
}

// Neither multicast nor in ::/64, where the unspecified, the loopback and the mapped addresses are.
constexpr bool is_ordinary(const IpAddress::Words& address) {
  return address.first != 0 && (address.first & 0xff) != 0xff;
}

// `length` bytes from `offset` on are the IP packet's; the headers in them must be in the first
// segment.
[[gnu::always_inline]] inline bool read_tcp(PacketView frame, size_t offset, size_t length,
                                            ParsedHeaders& out) {
  const auto* tcp = frame.header_at<TcpHeader>(offset);
  if (tcp == nullptr) [[unlikely]] {
    return false;
  }
  const size_t header_length = tcp->header_length();
  if (header_length < sizeof(TcpHeader) || header_length > length ||
      header_length > frame.size() - offset || are_refused_tcp_flags(tcp->flags) ||
      tcp->source_port == Big16{} || tcp->destination_port == Big16{}) [[unlikely]] {
    return false;
  }
  out.set_ports(tcp->source_port, tcp->destination_port);
  out.tcp_flags = tcp->flags & kNamedTcpFlags;
  out.payload_length = static_cast<uint16_t>(length - header_length);
  return true;
}

[[gnu::always_inline]] inline bool read_udp(PacketView frame, size_t offset, size_t length,
                                            ParsedHeaders& out) {
  const auto* udp = frame.header_at<UdpHeader>(offset);
  if (udp == nullptr) [[unlikely]] {
    return false;
  }
  const size_t udp_length = udp->length.to_host();
  if (udp_length < sizeof(UdpHeader) || udp_length > length || udp->source_port == Big16{} ||
      udp->destination_port == Big16{}) [[unlikely]] {
    return false;
  }
  out.set_ports(udp->source_port, udp->destination_port);
  out.tcp_flags = 0;
  out.payload_length = static_cast<uint16_t>(udp_length - sizeof(UdpHeader));
  return true;
}

// What is the same for all plain packets of a family, and what its IP header says.
[[gnu::always_inline]] inline void fill_network(Family family, uint8_t protocol, uint8_t ttl,
                                                size_t header_length, size_t length,
                                                ParsedHeaders& out) {
  out.network_offset = sizeof(EthernetHeader);
  out.transport_offset = static_cast<uint16_t>(sizeof(EthernetHeader) + header_length);
  out.network_length = static_cast<uint16_t>(length);
  out.vlan_id = 0;
  out.kind = PacketKind::kTransport;
  out.family = family;
  out.protocol = ip_protocol(protocol);
  out.ttl = ttl;
  out.icmp_type = 0;
  out.icmp_code = 0;
  out.vlan_tags = 0;
  out.fragment = false;
  out.multicast_frame = false;
  out.fragment_id = 0;
  out.fragment_place = 0;
  out.fragment_length = 0;
}

[[gnu::always_inline]] inline bool read_transport(PacketView frame, ParsedHeaders& out) {
  const size_t offset = out.transport_offset;
  const size_t end = sizeof(EthernetHeader) + out.network_length;
  if (end < offset) [[unlikely]] {
    return false;
  }
  switch (out.protocol) {
    case IpProtocol::kTcp:
      return read_tcp(frame, offset, end - offset, out);
    case IpProtocol::kUdp:
      return read_udp(frame, offset, end - offset, out);
    default:
      return false;
  }
}

[[gnu::always_inline]] inline bool read_ipv4(PacketView frame, ParsedHeaders& out) {
  const auto* headers = frame.header_at<Ipv4Frame>(0);
  if (headers == nullptr) [[unlikely]] {
    return false;
  }
  const Ipv4Header& ip = headers->ip;
  const uint32_t source = std::bit_cast<Big32>(ip.source).to_host();
  const uint32_t destination = std::bit_cast<Big32>(ip.destination).to_host();
  const size_t length = ip.total_length.to_host();
  if (ip.version_and_length != 0x45 || ip.is_fragment() || ip.ttl == 0 ||
      length > frame.frame_size() - sizeof(EthernetHeader) || !is_ordinary(source) ||
      !is_ordinary(destination) || source == destination || !header_checksum_is_good(ip))
      [[unlikely]] {
    return false;
  }
  out.source = mapped(ip.source);
  out.destination = mapped(ip.destination);
  fill_network(Family::kIpv4, ip.protocol, ip.ttl, sizeof(Ipv4Header), length, out);
  return read_transport(frame, out);
}

[[gnu::always_inline]] inline bool read_ipv6(PacketView frame, ParsedHeaders& out) {
  const auto* headers = frame.header_at<Ipv6Frame>(0);
  if (headers == nullptr) [[unlikely]] {
    return false;
  }
  const Ipv6Header& ip = headers->ip;
  const IpAddress source = IpAddress::v6(ip.source);
  const IpAddress destination = IpAddress::v6(ip.destination);
  const size_t length = sizeof(Ipv6Header) + ip.payload_length.to_host();
  if (ip.version() != 6 || ip.hop_limit == 0 || length > 0xffff ||
      length > frame.frame_size() - sizeof(EthernetHeader) || !is_ordinary(source.words()) ||
      !is_ordinary(destination.words()) || source == destination) [[unlikely]] {
    return false;
  }
  out.source = source;
  out.destination = destination;
  fill_network(Family::kIpv6, ip.next_header, ip.hop_limit, sizeof(Ipv6Header), length, out);
  return read_transport(frame, out);
}

}  // namespace plain_packet

// Whether the frame is plain; `out` is then what parse() makes of it, else unspecified.
[[gnu::always_inline]] inline bool parse_plain(PacketView frame, ParsedHeaders& out) {
  const auto* ethernet = frame.header_at<EthernetHeader>(0);
  if (ethernet == nullptr || ethernet->destination.is_multicast()) [[unlikely]] {
    return false;
  }
  if (ethernet->ether_type == kEtherTypeIpv4) {
    return plain_packet::read_ipv4(frame, out);
  }
  return ethernet->ether_type == kEtherTypeIpv6 && plain_packet::read_ipv6(frame, out);
}

}  // namespace ballast
