#include "dataplane/rewrite/icmp_translate.h"

#include <algorithm>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/wire.h"
#include "dataplane/rewrite/translate_steps.h"

namespace ballast {
namespace {

using translate_steps::replace;

bool is_of_family(const std::optional<IpAddress>& address, Family family) {
  return !address || address->family() == family;
}
bool is_of_family(const std::optional<Endpoint>& end, Family family) {
  return !end || end->address.family() == family;
}

// Where the quoted packet ends, from the start of the frame. RFC 4884 section 4 lets extensions
// follow it in the message, and then says its length; senders from before that leave 0 there, or
// what they like (section 5), so that a length that cannot be is none.
size_t quoted_end(PacketView frame, const ParsedPacket& packet, const IcmpHeader& icmp) {
  const size_t message_end =
      std::min<size_t>(size_t{packet.network_offset} + packet.network_length, frame.size());
  size_t length = 0;
  if (packet.family == Family::kIpv4) {
    length = size_t{icmp.rest[1]} * 4;
  } else if (icmp.type == kIcmpv6DestinationUnreachable || icmp.type == kIcmpv6TimeExceeded) {
    length = size_t{icmp.rest[0]} * 8;
  }
  const size_t end = packet.inner.network_offset + length;
  const bool can_be = end >= packet.inner.transport_offset + sizeof(UdpHeader);
  return can_be ? std::min(end, message_end) : message_end;
}

// What changes behind the quoted IP headers.
struct QuotedTransport {
  TransportPorts* ports = nullptr;
  Big16* checksum = nullptr;
  bool zero_is_none = false;
};

// False when the ports are not where the parser saw them.
bool find_quoted_transport(PacketView frame, const ParsedPacket& packet, const IcmpHeader& icmp,
                           QuotedTransport& out) {
  const InnerPacket& inner = packet.inner;
  if (!inner.has_ports) {
    return true;
  }
  const size_t offset = inner.transport_offset;
  const bool tcp = inner.protocol == IpProtocol::kTcp;
  const size_t checksum =
      offset + (tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum));
  if (checksum + sizeof(Big16) <= quoted_end(frame, packet, icmp)) {
    out.checksum = frame.header_at<Big16>(checksum);
  }
  out.zero_is_none = !tcp;
  out.ports = frame.header_at<TransportPorts>(offset);
  return out.ports != nullptr;
}

// Replaces what lies in the ICMP message itself: `message` is what its checksum changes by.
template <typename Field, typename Value>
void replace_quoted(Field& field, const Value& value, ChecksumDelta& quoted,
                    ChecksumDelta& message) {
  const Field before = field;
  replace(field, value, quoted);
  message.replace(before, field);
}

void write_quoted_transport(const QuotedTransport& transport, const IcmpErrorTranslation& to,
                            ChecksumDelta quoted, ChecksumDelta& message) {
  if (transport.ports == nullptr) {
    return;
  }
  if (to.quoted_source) {
    replace_quoted(transport.ports->source, to.quoted_source->port, quoted, message);
  }
  if (to.quoted_destination) {
    replace_quoted(transport.ports->destination, to.quoted_destination->port, quoted, message);
  }
  if (transport.checksum != nullptr) {
    const Big16 before = *transport.checksum;
    *transport.checksum = transport.zero_is_none ? quoted.apply_udp(before) : quoted.apply(before);
    message.replace(before, *transport.checksum);
  }
}

// The TTL of what is quoted stays: it is the one with which the packet arrived there.
void finish_quoted_header(Ipv4Header& ip, const ChecksumDelta& addresses, ChecksumDelta& message) {
  const Big16 before = ip.checksum;
  ip.checksum = addresses.apply(before);
  message.replace(before, ip.checksum);
}
void finish_quoted_header(Ipv6Header& /*ip*/, const ChecksumDelta& /*addresses*/,
                          ChecksumDelta& /*message*/) {}

// What the ICMP checksum covers beside the message.
void add_pseudo_header(const Ipv4Header& /*ip*/, const ChecksumDelta& /*addresses*/,
                       ChecksumDelta& /*message*/) {}
void add_pseudo_header(const Ipv6Header& /*ip*/, const ChecksumDelta& addresses,
                       ChecksumDelta& message) {
  message.add(addresses);
}

template <typename IpHeader>
RewriteResult write(PacketView frame, const ParsedPacket& packet, const IcmpErrorTranslation& to,
                    TtlAction ttl) {
  auto* outer = frame.header_at<IpHeader>(packet.network_offset);
  auto* icmp = frame.header_at<IcmpHeader>(packet.transport_offset);
  auto* inner = frame.header_at<IpHeader>(packet.inner.network_offset);
  QuotedTransport transport;
  if (outer == nullptr || icmp == nullptr || inner == nullptr ||
      !find_quoted_transport(frame, packet, *icmp, transport)) {
    return RewriteResult::kNotApplicable;
  }
  ChecksumDelta addresses;
  if (to.source) {
    replace(outer->source, *to.source, addresses);
  }
  if (to.destination) {
    replace(outer->destination, *to.destination, addresses);
  }
  translate_steps::finish_header(*outer, ttl, addresses);

  ChecksumDelta message;
  add_pseudo_header(*outer, addresses, message);
  ChecksumDelta quoted;
  if (to.quoted_source) {
    replace_quoted(inner->source, to.quoted_source->address, quoted, message);
  }
  if (to.quoted_destination) {
    replace_quoted(inner->destination, to.quoted_destination->address, quoted, message);
  }
  finish_quoted_header(*inner, quoted, message);
  write_quoted_transport(transport, to, quoted, message);
  icmp->checksum = message.apply(icmp->checksum);
  return RewriteResult::kDone;
}

}  // namespace

IcmpErrorTranslation mirrored(const Translation& along) {
  IcmpErrorTranslation to;
  if (along.source) {
    to.source = along.source->address;
    to.quoted_destination = along.source;
  }
  if (along.destination) {
    to.destination = along.destination->address;
    to.quoted_source = along.destination;
  }
  return to;
}

RewriteResult translate_icmp_error(PacketView frame, const ParsedPacket& packet,
                                   const IcmpErrorTranslation& to, TtlAction ttl) {
  if (packet.kind != PacketKind::kIcmpError ||
      (packet.inner.protocol != IpProtocol::kTcp && packet.inner.protocol != IpProtocol::kUdp) ||
      !is_of_family(to.source, packet.family) || !is_of_family(to.destination, packet.family) ||
      !is_of_family(to.quoted_source, packet.family) ||
      !is_of_family(to.quoted_destination, packet.family)) {
    return RewriteResult::kNotApplicable;
  }
  if (!survives(packet.ttl, ttl)) {
    return RewriteResult::kTtlExpired;
  }
  return packet.family == Family::kIpv4 ? write<Ipv4Header>(frame, packet, to, ttl)
                                        : write<Ipv6Header>(frame, packet, to, ttl);
}

}  // namespace ballast
