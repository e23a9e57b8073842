// NAT and FULLNAT, with the short way for plain packets: TCP or UDP in untagged Ethernet, no IPv4
// options, no IPv6 extension headers.
//
// Of a plain packet all headers lie at offsets that family and protocol tell, so that each of the
// four kinds is a few loads, adds and stores in a row, without a question in between. All else goes
// to translate(), which does the same by the parser's offsets. TTL or hop limit is decremented:
// kTtlExpired when that cannot be.
#pragma once

#include <bit>
#include <cassert>
#include <cstdint>
#include <type_traits>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"
#include "dataplane/packet/wire.h"
#include "dataplane/rewrite/rewrite_result.h"
#include "dataplane/rewrite/translate.h"
#include "dataplane/rewrite/translate_steps.h"

namespace ballast {

// An end whose address lies in a table: only the words that are needed are loaded from there.
struct EndpointView {
  EndpointView(const IpAddress& where, Big16 port_there) : address(where), port(port_there) {}
  EndpointView(const Endpoint& endpoint)
      : address(endpoint.address), port(endpoint.port) {}  // NOLINT(google-explicit-constructor)

  const IpAddress& address;
  Big16 port;
};

namespace translate_steps {

enum class Ends : uint8_t { kSource, kDestination, kBoth };

template <typename IpHeader, typename TransportHeader>
struct PlainFrame {
  EthernetHeader ethernet;
  IpHeader ip;
  TransportHeader transport;
};
static_assert(alignof(PlainFrame<Ipv6Header, TcpHeader>) == 1);

// Where the transport header can only be when nothing but Ethernet and the IP header is in front of
// it. A first fragment of IPv4 is as good as a whole packet here.
[[gnu::always_inline]] inline bool is_plain(const ParsedHeaders& packet) {
  const size_t header = packet.family == Family::kIpv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
  return packet.kind == PacketKind::kTransport &&
         packet.transport_offset == sizeof(EthernetHeader) + header;
}

[[gnu::always_inline]] inline Big16 updated(const TcpHeader& tcp, const ChecksumDelta& delta) {
  return delta.apply(tcp.checksum);
}
[[gnu::always_inline]] inline Big16 updated(const UdpHeader& udp, const ChecksumDelta& delta) {
  return delta.apply_udp(udp.checksum);
}

// A word of up to 32 bits that is replaced, as part of a sum (RFC 1624 equation 3). Some dozens of
// them add up to less than 64 bits: no carry has to be brought round before the end.
template <typename Field, typename Value>
[[gnu::always_inline]] inline uint64_t replace_word(Field& field, const Value& value) {
  using Word = std::conditional_t<sizeof(Field) == 2, uint16_t, uint32_t>;
  const auto before = static_cast<Word>(~std::bit_cast<Word>(field));
  field = value;
  return uint64_t{before} + std::bit_cast<Word>(value);
}

[[gnu::always_inline]] inline ChecksumDelta delta_of(uint64_t sum) {
  ChecksumDelta delta;
  delta.add_sum(sum);
  return delta;
}

// IPv4: all that changes lies in words of 16 and 32 bits.
template <Ends kEnds, typename TransportHeader>
[[gnu::always_inline]] inline void translate_plain(PlainFrame<Ipv4Header, TransportHeader>& headers,
                                                   const EndpointView& source,
                                                   const EndpointView& destination) {
  // The TTL is the upper half of its word: one less is the same for every value, ~0x0100.
  constexpr uint64_t kTtlMinusOne = std::bit_cast<uint16_t>(Big16::from_host(0xfeff));
  uint64_t sum = 0;
  if constexpr (kEnds != Ends::kDestination) {
    sum += replace_word(headers.ip.source, source.address.v4_bytes());
  }
  if constexpr (kEnds != Ends::kSource) {
    sum += replace_word(headers.ip.destination, destination.address.v4_bytes());
  }
  --headers.ip.ttl;
  headers.ip.checksum = delta_of(sum + kTtlMinusOne).apply(headers.ip.checksum);
  if constexpr (kEnds != Ends::kDestination) {
    sum += replace_word(headers.transport.source_port, source.port);
  }
  if constexpr (kEnds != Ends::kSource) {
    sum += replace_word(headers.transport.destination_port, destination.port);
  }
  headers.transport.checksum = updated(headers.transport, delta_of(sum));
}

template <Ends kEnds, typename TransportHeader>
[[gnu::always_inline]] inline void translate_plain(PlainFrame<Ipv6Header, TransportHeader>& headers,
                                                   const EndpointView& source,
                                                   const EndpointView& destination) {
  ChecksumDelta delta;
  if constexpr (kEnds != Ends::kDestination) {
    replace(headers.ip.source, source.address, delta);
  }
  if constexpr (kEnds != Ends::kSource) {
    replace(headers.ip.destination, destination.address, delta);
  }
  --headers.ip.hop_limit;
  if constexpr (kEnds != Ends::kDestination) {
    replace(headers.transport.source_port, source.port, delta);
  }
  if constexpr (kEnds != Ends::kSource) {
    replace(headers.transport.destination_port, destination.port, delta);
  }
  headers.transport.checksum = updated(headers.transport, delta);
}

template <Ends kEnds, typename IpHeader, typename TransportHeader>
[[gnu::always_inline]] inline RewriteResult translate_plain(PacketView frame,
                                                            const EndpointView& source,
                                                            const EndpointView& destination) {
  auto* headers = frame.header_at<PlainFrame<IpHeader, TransportHeader>>(0);
  if (headers == nullptr) [[unlikely]] {
    return RewriteResult::kNotApplicable;
  }
  translate_plain<kEnds>(*headers, source, destination);
  return RewriteResult::kDone;
}

template <Ends kEnds>
inline Translation translation_of(const EndpointView& source, const EndpointView& destination) {
  Translation to;
  if constexpr (kEnds != Ends::kDestination) {
    to.source = Endpoint{source.address, source.port};
  }
  if constexpr (kEnds != Ends::kSource) {
    to.destination = Endpoint{destination.address, destination.port};
  }
  return to;
}

template <Ends kEnds>
[[gnu::always_inline]] inline RewriteResult translate_ends(PacketView frame,
                                                           const ParsedHeaders& packet,
                                                           const EndpointView& source,
                                                           const EndpointView& destination) {
  if (!is_plain(packet)) [[unlikely]] {
    return translate(frame, packet, translation_of<kEnds>(source, destination),
                     TtlAction::kDecrement);
  }
  if (!survives(packet.ttl, TtlAction::kDecrement)) [[unlikely]] {
    return RewriteResult::kTtlExpired;
  }
  assert(kEnds == Ends::kDestination || source.address.family() == packet.family);
  assert(kEnds == Ends::kSource || destination.address.family() == packet.family);
  const bool tcp = packet.protocol == IpProtocol::kTcp;
  if (packet.family == Family::kIpv4) {
    return tcp ? translate_plain<kEnds, Ipv4Header, TcpHeader>(frame, source, destination)
               : translate_plain<kEnds, Ipv4Header, UdpHeader>(frame, source, destination);
  }
  return tcp ? translate_plain<kEnds, Ipv6Header, TcpHeader>(frame, source, destination)
             : translate_plain<kEnds, Ipv6Header, UdpHeader>(frame, source, destination);
}

}  // namespace translate_steps

// In all of them `packet` is what the parser made of `frame`, and the ends are of its family, which
// is the caller's promise here (translate() refuses others).

// NAT, from the client: VIP -> server.
[[nodiscard, gnu::always_inline]] inline RewriteResult rewrite_nat_in(PacketView frame,
                                                                      const ParsedHeaders& packet,
                                                                      const EndpointView& server) {
  return translate_steps::translate_ends<translate_steps::Ends::kDestination>(frame, packet, server,
                                                                              server);
}

// NAT, from the server: server -> VIP.
[[nodiscard, gnu::always_inline]] inline RewriteResult rewrite_nat_out(PacketView frame,
                                                                       const ParsedHeaders& packet,
                                                                       const EndpointView& vip) {
  return translate_steps::translate_ends<translate_steps::Ends::kSource>(frame, packet, vip, vip);
}

// FULLNAT, either way: in with (local, server), out with (VIP, client).
[[nodiscard, gnu::always_inline]] inline RewriteResult rewrite_full_nat(
    PacketView frame, const ParsedHeaders& packet, const EndpointView& source,
    const EndpointView& destination) {
  return translate_steps::translate_ends<translate_steps::Ends::kBoth>(frame, packet, source,
                                                                       destination);
}

}  // namespace ballast
