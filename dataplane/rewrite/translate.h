// Network address and port translation: the one rewrite behind NAT and FULLNAT.
//
//   mode      direction   source            destination
//   NAT       in          stays             VIP -> server
//   NAT       out         server -> VIP     stays
//   FULLNAT   in          client -> local   VIP -> server
//   FULLNAT   out         server -> VIP     local -> client
//
// Theory of operation
//   translate() takes any packet that the parser accepted and finds by the parser's offsets what
//   has to change; IPv4 options and IPv6 extension headers in between stay as they are. nat.h is
//   its short way for plain packets, which nearly all are; that both write the same is a property
//   of the tests.
//   Checksums are updated by the difference (RFC 1624 equation 3), never computed anew: a packet
//   that was damaged on its way here stays recognisably damaged, and the payload is not read.
//     IPv4 header    addresses and TTL
//     TCP            addresses and ports
//     UDP            addresses and ports; 0 ("none") stays 0; a result of 0 is sent as 0xffff
//     ICMPv6         addresses; ICMP over IPv4 has no pseudo header
//   0 stays 0 in IPv6, too. RFC 8200 section 8.1 leaves it to the receiver to discard such a
//   datagram, unless it is a tunnel's that is set up to take it (RFC 6935); a middlebox passes both
//   kinds on (RFC 6936 section 5), and could not tell the one that is wrong.
//   A first fragment is translated with its ports and its transport checksum, which covers the
//   whole datagram and changes by the same difference. A later fragment has neither: its addresses
//   alone change.
//
// Limits: ESP passes, but only where its security association is bound to no address. What an
// authentication header signs (RFC 4302) does not survive any translation, here as elsewhere.
#pragma once

#include <optional>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"
#include "dataplane/rewrite/rewrite_result.h"

namespace ballast {

struct Endpoint {
  IpAddress address;
  Big16 port;  // not used for what has no ports

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// What becomes of the two ends; an end that is not named stays as it is.
struct Translation {
  std::optional<Endpoint> source;
  std::optional<Endpoint> destination;

  friend bool operator==(const Translation&, const Translation&) = default;
};

// `packet` is what the parser made of `frame`, and is stale afterwards in what was translated.
// kDone, kTtlExpired, or kNotApplicable for
//   - what is not IP, neighbour discovery, and ICMP errors (icmp_translate.h);
//   - an end of the other family than the packet's;
//   - protocols other than TCP, UDP and ICMPv6 whose checksum covers the addresses (DCCP,
//   UDP-Lite).
[[nodiscard]] RewriteResult translate(PacketView frame, const ParsedHeaders& packet,
                                      const Translation& to, TtlAction ttl);

}  // namespace ballast
