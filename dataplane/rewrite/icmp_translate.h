// An ICMP or ICMPv6 error about a translated connection, translated like the connection.
//
// Theory of operation
//   An error goes the opposite way of the packet it quotes. What leaves the server's side is
//   translated like any packet of the connection that leaves it, and the quoted packet, which was
//   sent into that side, the other way round: its destination is what the error's source would be.
//
//     NAT, server unreachable:  error    router -> client        becomes   VIP -> client
//                               quotes   client -> server:8080   becomes   client -> VIP:80
//
//   So mirrored() makes one direction's Translation into that of an error in the same direction.
//   The quoted packet's IPv4 header checksum is updated, and its transport checksum, where that
//   lies within what is quoted: a sender that looks up the connection by a checksum (as some that
//   send probes do) finds what it has sent. The ICMP checksum follows by the difference, which also
//   carries the pseudo header of ICMPv6. The rest of the quoted packet, its options and extension
//   headers, the MTU, and RFC 4884's extensions stay as they are.
//
// Whose address the error comes from
//   Any router on the way may send it. mirrored() replaces the source wherever the direction
//   translates sources, whoever sent the error: out of NAT and FULLNAT it comes from the VIP, into
//   FULLNAT from the local address. Linux does so in both of its translators (ip_vs_nat_icmp() and
//   nf_nat_icmp_reply_translation() write the translated address without asking who the sender
//   was), and RFC 5508 section 4.2 (REQ-5) asks for it of what goes out: a private address in front
//   of the client would be refused by any filter of forged sources (BCP 38), and path MTU discovery
//   would end there. The price is that a traceroute shows the VIP for each router behind it. Into
//   NAT the source is left, since NAT leaves the client's side alone. A caller that knows better
//   clears `source`.
#pragma once

#include <optional>

#include "dataplane/packet/address.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"
#include "dataplane/rewrite/rewrite_result.h"
#include "dataplane/rewrite/translate.h"

namespace ballast {

// What is not named stays as it is.
struct IcmpErrorTranslation {
  std::optional<IpAddress> source;  // of the error itself
  std::optional<IpAddress> destination;
  std::optional<Endpoint> quoted_source;  // of the packet it quotes
  std::optional<Endpoint> quoted_destination;

  friend bool operator==(const IcmpErrorTranslation&, const IcmpErrorTranslation&) = default;
};

// For an error that goes the way in which `along` translates the connection's own packets.
[[nodiscard]] IcmpErrorTranslation mirrored(const Translation& along);

// `packet` is what the parser made of `frame`. kDone, kTtlExpired, or kNotApplicable for what is no
// error (kIcmpError), quotes neither TCP nor UDP, or is not of the family of an address. Of a
// quoted later fragment the addresses alone are translated.
[[nodiscard]] RewriteResult translate_icmp_error(PacketView frame, const ParsedPacket& packet,
                                                 const IcmpErrorTranslation& to, TtlAction ttl);

}  // namespace ballast
