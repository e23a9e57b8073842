// TUN: the client's packet, unchanged, inside an outer IP header to the real server.
//
//   encapsulation   behind the outer header                  overhead over IPv4 / IPv6
//   ipip            nothing (RFC 2003, 2473, 4213, 7596)     20 / 40
//   gre             GRE without key (RFC 2784)               24 / 44
//   gue             UDP and GUE, variant 0, as Linux's fou   32 / 52
//
// Both families in both. What the outer header says:
//   DSCP, ECN       the inner ones: DSCP as RFC 2983 section 3.1's uniform model has it, ECN by the
//                   normal mode of RFC 6040 section 4.1, which copies the field. A server that
//                   decapsulates by the same RFC hands congestion marks on.
//   TTL             the tunnel's own; the inner one stays, as the tunnel is one hop (the design's
//                   decision; RFC 2003 section 3.1 would decrement it in a router).
//   DF              the inner one's; always set over an inner IPv6 packet, which no router may
//                   fragment (RFC 4213 section 3.2.2), or over all, if the tunnel is set up so.
//   identification  the caller's where the packet may be fragmented; else 0, as of an atomic
//                   datagram (RFC 6864 section 4.1).
//   flow label      from the flow's hash (RFC 6438 section 2), never 0.
//   source          the caller's, who may spread it over a range for the server's RSS.
//   UDP ports       source from the flow's hash, 49152-65535 (RFC 6335's dynamic range, as RFC 8085
//                   section 5.1.1 advises for tunnels); destination the tunnel's.
//   UDP checksum    none over IPv4. Over IPv6 it is computed by default: RFC 8200 section 8.1 wants
//                   one, the GUE draft too, and any receiver takes it. It costs no look at the
//                   payload: a segment's own checksum says what its bytes sum up to, so that only
//                   headers are added up (Linux calls this local checksum offload). RFC 6935 allows
//                   none for tunnels whose two ends agree on it (section 5), which Linux's fou
//                   does; the tunnel can be set up so. It is left out as well for the rare packet
//                   whose sum cannot be had so cheaply and whose end is in another segment of a
//                   chained frame.
//
// A packet that is too long for the outgoing MTU is refused under a name: kTooBig when its sender
// can be told (IPv4 with DF, IPv6 of more than 1280 bytes), and tunnel_mtu() is what to tell it;
// kMustFragment when not.
//
// Headers are prepared for each inner family when the tunnel is set up; per packet they are copied,
// completed where they lie and, for IPv4, given a checksum that continues the prepared sum.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/checksum.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"
#include "dataplane/packet/wire.h"
#include "dataplane/rewrite/rewrite_result.h"

namespace ballast {

enum class Encapsulation : uint8_t { kIpIp, kGre, kGue };

// When an outer IPv4 header around an IPv4 packet forbids fragmentation.
enum class OuterDontFragment : uint8_t { kAsInner, kAlways };

// Of GUE over IPv6; over IPv4 there is none.
enum class TunnelChecksum : uint8_t { kComputed, kNone };

struct Tunnel {
  IpAddress destination;  // the real server; its family is the outer one
  Encapsulation encapsulation = Encapsulation::kIpIp;
  uint8_t ttl = 64;
  OuterDontFragment dont_fragment = OuterDontFragment::kAsInner;
  TunnelChecksum checksum = TunnelChecksum::kComputed;
  Big16 gue_port = kGuePort;
};

// What differs from packet to packet.
struct OuterFields {
  IpAddress source;             // of the family of the tunnel's destination
  uint32_t flow_hash = 0;       // of the inner flow, all bits equally good
  uint16_t identification = 0;  // of the outer IPv4 header, where it counts
  uint16_t mtu = 0;             // what the outer packet may be long
  bool is_cut = false;          // whoever sends it will cut it: no DF, whatever is inside
};

// Bytes that are put in front of a packet.
[[nodiscard]] uint16_t tunnel_overhead(Encapsulation encapsulation, Family outer);

// The longest packet that fits the tunnel over a link of `link_mtu`: what an ICMP "too big" says,
// and what an MSS is computed from. Never below what a sender has to support in any case: 68 bytes
// for IPv4 (RFC 791), 1280 for IPv6 (RFC 2473 section 7.1).
[[nodiscard]] uint16_t tunnel_mtu(Encapsulation encapsulation, Family outer, Family inner,
                                  uint16_t link_mtu);

// The source port of GUE for a flow.
[[nodiscard]] constexpr Big16 gue_source_port(uint32_t flow_hash) {
  return Big16::from_host(static_cast<uint16_t>(0xc000U | flow_hash >> 18));
}

// A tunnel with its headers prepared. A value; built once for a server.
class TunnelHeader {
 public:
  explicit TunnelHeader(const Tunnel& tunnel);

  [[nodiscard]] uint16_t overhead() const { return overhead_; }
  [[nodiscard]] Family outer_family() const { return family_; }
  // What its clients are told when a packet is too long: tunnel_mtu().
  [[nodiscard]] uint16_t inner_mtu(Family inner, uint16_t link_mtu) const {
    return tunnel_mtu(tunnel_.encapsulation, family_, inner, link_mtu);
  }

  // Puts the headers in front of the IP packet of `frame`, and moves the link-layer header, VLAN
  // tags included, in front of them; `headroom` bytes before the frame's first may be written. On
  // kDone `frame` is the new, longer frame, without the padding that a frame in one piece had, and
  // `packet` (what the parser made of `frame`) no longer fits it. Else kTooBig, kMustFragment,
  // kNoHeadroom, or kNotApplicable for what is not IP, neighbour discovery, and a source of the
  // wrong family.
  [[nodiscard]] RewriteResult encapsulate(PacketView& frame, size_t headroom,
                                          const ParsedHeaders& packet,
                                          const OuterFields& outer) const;

  // The same for nearly all packets, by a short way: TCP or UDP in one piece, untagged. False with
  // nothing done: encapsulate() knows what becomes of the packet.
  [[nodiscard]] bool encapsulate_plain(PacketView& frame, size_t headroom,
                                       const ParsedHeaders& packet, const OuterFields& outer) const;

 private:
  // What of the inner packet stands in the outer headers.
  struct Inner {
    static Inner of(const uint8_t* ip, const ParsedHeaders& packet);

    Family family;
    uint8_t traffic_class;
    bool dont_fragment;
    uint16_t length;
  };
  template <typename Header>
  static Header& write(uint8_t* at) {
    static_assert(alignof(Header) == 1);
    return *reinterpret_cast<Header*>(at);
  }

  void prepare(Family inner);
  [[nodiscard]] RewriteResult check(PacketView frame, size_t headroom, const ParsedHeaders& packet,
                                    const OuterFields& outer) const;
  [[nodiscard]] PacketView make_room(PacketView frame, const ParsedHeaders& packet) const;
  void write_headers(uint8_t* front, const Inner& inner, const OuterFields& outer,
                     Big16 udp_checksum) const;
  template <typename IpHeader>
  void copy_prepared(uint8_t* front, Family inner) const;
  void write_ipv4(uint8_t* front, const Inner& inner, const OuterFields& outer) const;
  void write_ipv6(uint8_t* front, const Inner& inner, const OuterFields& outer) const;
  [[nodiscard]] Big16 udp_checksum(PacketView frame, const ParsedHeaders& packet,
                                   const OuterFields& outer) const;
  [[nodiscard]] Big16 ether_type() const {
    return family_ == Family::kIpv4 ? kEtherTypeIpv4 : kEtherTypeIpv6;
  }

  // All that is put in front of a packet, but for what differs from packet to packet.
  struct Prepared {
    std::array<uint8_t, sizeof(Ipv6Header) + sizeof(UdpHeader) + sizeof(GueHeader)> bytes{};
    uint64_t sum = 0;  // of its IPv4 header, 16 bits
  };
  [[nodiscard]] const Prepared& prepared(Family inner) const {
    return prepared_[inner == Family::kIpv4 ? 0 : 1];
  }

  Tunnel tunnel_;
  Family family_;
  bool computes_checksum_;  // GUE over IPv6, but where the tunnel's ends agree on none
  uint16_t overhead_;
  std::array<Prepared, 2> prepared_;  // by the inner family
};

// ---- what is inlined into the packet path, by force: it runs in the registers of its one caller

inline TunnelHeader::Inner TunnelHeader::Inner::of(const uint8_t* ip, const ParsedHeaders& packet) {
  if (packet.family == Family::kIpv4) {
    const auto& header = *reinterpret_cast<const Ipv4Header*>(ip);
    return {packet.family, header.traffic_class, header.dont_fragment(), packet.network_length};
  }
  const auto& header = *reinterpret_cast<const Ipv6Header*>(ip);
  return {packet.family, header.traffic_class(), true, packet.network_length};
}

[[gnu::always_inline]] inline bool TunnelHeader::encapsulate_plain(PacketView& frame,
                                                                   size_t headroom,
                                                                   const ParsedHeaders& packet,
                                                                   const OuterFields& outer) const {
  constexpr size_t kLink = sizeof(EthernetHeader);
  if (packet.kind != PacketKind::kTransport || packet.network_offset != kLink ||
      frame.size() != frame.frame_size() || computes_checksum_ || headroom < overhead_ ||
      size_t{packet.network_length} + overhead_ > outer.mtu) [[unlikely]] {
    return false;
  }
  const Inner inner = Inner::of(frame.data() + kLink, packet);
  uint8_t* begin = frame.data() - overhead_;
  std::memcpy(begin, frame.data(), kLink - sizeof(Big16));
  write<Big16>(begin + kLink - sizeof(Big16)) = ether_type();
  write_headers(begin + kLink, inner, outer, {});
  frame = PacketView(begin, kLink + packet.network_length + overhead_);
  return true;
}

[[gnu::always_inline]] inline void TunnelHeader::write_headers(uint8_t* front, const Inner& inner,
                                                               const OuterFields& outer,
                                                               Big16 udp_checksum) const {
  if (family_ == Family::kIpv4) {
    write_ipv4(front, inner, outer);
  } else {
    write_ipv6(front, inner, outer);
  }
  if (tunnel_.encapsulation == Encapsulation::kGue) {
    constexpr uint16_t kHeaders = sizeof(UdpHeader) + sizeof(GueHeader);
    auto& udp = write<UdpHeader>(front + overhead_ - kHeaders);
    udp.source_port = gue_source_port(outer.flow_hash);
    udp.length = Big16::from_host(static_cast<uint16_t>(inner.length + kHeaders));
    udp.checksum = udp_checksum;
  }
}

// What was prepared is copied first and completed where it lies: a header put together elsewhere
// would have to leave the store buffer before it could be copied in one.
template <typename IpHeader>
[[gnu::always_inline]] inline void TunnelHeader::copy_prepared(uint8_t* front, Family inner) const {
  constexpr size_t kIp = sizeof(IpHeader);
  const uint8_t* from = prepared(inner).bytes.data();
  std::memcpy(front, from, kIp);
  if (tunnel_.encapsulation == Encapsulation::kGre) {
    std::memcpy(front + kIp, from + kIp, sizeof(GreHeader));
  } else if (tunnel_.encapsulation == Encapsulation::kGue) {
    std::memcpy(front + kIp, from + kIp, sizeof(UdpHeader) + sizeof(GueHeader));
  }
}

[[gnu::always_inline]] inline void TunnelHeader::write_ipv4(uint8_t* front, const Inner& inner,
                                                            const OuterFields& outer) const {
  copy_prepared<Ipv4Header>(front, inner.family);
  const bool dont_fragment =
      !outer.is_cut && (inner.dont_fragment || tunnel_.dont_fragment == OuterDontFragment::kAlways);
  const auto word = [](Big16 value) { return uint64_t{std::bit_cast<uint16_t>(value)}; };
  const Big16 length = Big16::from_host(static_cast<uint16_t>(inner.length + overhead_));
  const Big16 identification = Big16::from_host(dont_fragment ? uint16_t{0} : outer.identification);
  const Big16 fragment = Big16::from_host(dont_fragment ? kIpv4DontFragment : uint16_t{0});
  const IpAddress::V4Bytes source = outer.source.v4_bytes();
  auto& ip = write<Ipv4Header>(front);
  ip.traffic_class = inner.traffic_class;
  ip.total_length = length;
  ip.identification = identification;
  ip.fragment = fragment;
  ip.source = source;
  ChecksumSum sum;
  // Of the word that is filled in halfway the other half is in the prepared sum.
  sum.add(prepared(inner.family).sum + word(Big16::from_host(inner.traffic_class)) + word(length) +
          word(identification) + word(fragment) + std::bit_cast<uint32_t>(source));
  ip.checksum = finish_checksum(sum);
}

[[gnu::always_inline]] inline void TunnelHeader::write_ipv6(uint8_t* front, const Inner& inner,
                                                            const OuterFields& outer) const {
  copy_prepared<Ipv6Header>(front, inner.family);
  const uint32_t label = outer.flow_hash & 0xfffffU;
  auto& ip = write<Ipv6Header>(front);
  ip.set_version_class_flow(inner.traffic_class, label == 0 ? 1 : label);
  ip.payload_length =
      Big16::from_host(static_cast<uint16_t>(inner.length + overhead_ - sizeof(Ipv6Header)));
  ip.source = outer.source.bytes();
}

}  // namespace ballast
