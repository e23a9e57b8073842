#include "tests/model/rewrites.h"

#include <algorithm>

namespace ballast::model {
namespace {

size_t ip_header_length(Family family) {
  return family == Family::kIpv4 ? 20 : 40;
}

uint16_t complement(uint16_t sum) {
  return static_cast<uint16_t>(~sum);
}

// The header checksum of the IPv4 header at `at`, over all of it.
void fix_ipv4(Bytes& frame, size_t at) {
  put16(frame, at + 10, 0);
  put16(frame, at + 10, complement(ones_sum(frame, at, at + size_t{frame[at] & 0xfU} * 4)));
}

void put_ends(Bytes& frame, size_t network, size_t ports, Family family, const Ends& to,
              bool has_ports) {
  const size_t source = network + (family == Family::kIpv4 ? 12 : 8);
  const size_t destination = network + (family == Family::kIpv4 ? 16 : 24);
  if (to.source) {
    put_address(frame, source, to.source->address);
    if (has_ports) {
      put16(frame, ports, to.source->port);
    }
  }
  if (to.destination) {
    put_address(frame, destination, to.destination->address);
    if (has_ports) {
      put16(frame, ports + 2, to.destination->port);
    }
  }
}

void decrement(Bytes& frame, const Dissection& seen) {
  --frame[seen.network + (seen.is_v4() ? 8 : 7)];
}

// The sum of pseudo header and [transport, end), the checksum field at `field` taken as zero.
uint16_t covered_sum(const Bytes& frame, const Dissection& seen, size_t field) {
  Bytes copy = frame;
  put16(copy, field, 0);
  const size_t source = seen.network + (seen.is_v4() ? 12 : 8);
  const size_t destination = seen.network + (seen.is_v4() ? 16 : 24);
  return ones_add(pseudo_sum(get_address(copy, source, seen.family),
                             get_address(copy, destination, seen.family), seen.protocol,
                             static_cast<uint32_t>(seen.transport_length())),
                  ones_sum(copy, seen.transport, seen.end));
}

// The addresses and ports that a quoted transport checksum covers, as a sum.
uint16_t ends_sum(const Bytes& frame, const Quote& quote, Family family) {
  const size_t source = quote.network + (family == Family::kIpv4 ? 12 : 8);
  const size_t length = family == Family::kIpv4 ? 8 : 32;
  return ones_add(ones_sum(frame, source, source + length),
                  ones_sum(frame, quote.transport, quote.transport + 4));
}

// What a checksum becomes when what it covers summed up to `before` and now to `after`.
void follow(Bytes& frame, size_t field, uint16_t before, uint16_t after, bool zero_is_none) {
  const uint16_t old = get16(frame, field);
  if (zero_is_none && old == 0) {
    return;
  }
  uint16_t value = ones_subtract(ones_add(old, before), after);
  if (zero_is_none && value == 0) {
    value = 0xffff;
  }
  put16(frame, field, value);
}

Bytes ethernet_back(const Bytes& frame, const Dissection& seen, const MacAddress& mac) {
  Bytes back(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(seen.network));
  put_mac(back, 0, get_mac(frame, 6));
  put_mac(back, 6, mac);
  return back;
}

// Appends an IP header without options, TTL 64, atomic (RFC 6864).
void append_ip(Bytes& frame, const IpAddress& source, const IpAddress& destination,
               uint8_t protocol, uint8_t tos, size_t payload) {
  const size_t at = frame.size();
  const Family family = source.family();
  frame.resize(at + ip_header_length(family));
  if (family == Family::kIpv4) {
    frame[at] = 0x45;
    frame[at + 1] = tos;
    put16(frame, at + 2, static_cast<uint16_t>(20 + payload));
    put16(frame, at + 6, 0x4000);
    frame[at + 8] = 64;
    frame[at + 9] = protocol;
    put_address(frame, at + 12, source);
    put_address(frame, at + 16, destination);
    fix_ipv4(frame, at);
    return;
  }
  put32(frame, at, 0x60000000U | uint32_t{tos} << 20);
  put16(frame, at + 4, static_cast<uint16_t>(payload));
  frame[at + 6] = protocol;
  frame[at + 7] = 64;
  put_address(frame, at + 8, source);
  put_address(frame, at + 24, destination);
}

bool has_transport_checksum(const Dissection& seen) {
  return seen.sort == Sort::kTransport;
}

size_t checksum_field(const Dissection& seen) {
  return seen.transport + (seen.protocol == kProtocolTcp ? 16 : 6);
}

// RFC 4884: where the quoted packet ends; a length that cannot be is none.
size_t quoted_end(const Bytes& frame, const Dissection& seen) {
  size_t length = 0;
  if (seen.is_v4()) {
    length = size_t{frame[seen.transport + 5]} * 4;
  } else if (seen.icmp_type == 1 || seen.icmp_type == 3) {
    length = size_t{frame[seen.transport + 4]} * 8;
  }
  const size_t end = seen.quote.network + length;
  return end >= seen.quote.transport + 8 ? std::min(end, seen.end) : seen.end;
}

}  // namespace

Written translate(const Bytes& frame, const Dissection& seen, const Ends& to, bool decrement_ttl) {
  Written out{frame, {}};
  const bool ports = seen.sort == Sort::kTransport;
  put_ends(out.frame, seen.network, seen.transport, seen.family, to, ports);
  if (decrement_ttl) {
    decrement(out.frame, seen);
  }
  if (seen.is_v4()) {
    fix_ipv4(out.frame, seen.network);
    out.either_zero.push_back(seen.network + 10);
  }
  if (has_transport_checksum(seen)) {
    const size_t field = checksum_field(seen);
    follow(out.frame, field, covered_sum(frame, seen, field), covered_sum(out.frame, seen, field),
           seen.protocol == kProtocolUdp);
    if (seen.protocol == kProtocolTcp) {
      out.either_zero.push_back(field);
    }
  }
  return out;
}

Written translate_error(const Bytes& frame, const Dissection& seen, const Ends& to,
                        bool decrement_ttl) {
  Written out{frame, {}};
  const Quote& quote = seen.quote;
  put_ends(out.frame, seen.network, 0, seen.family, to, false);
  if (decrement_ttl) {
    decrement(out.frame, seen);
  }
  const uint16_t quoted_before = ends_sum(frame, quote, seen.family);
  put_ends(out.frame, quote.network, quote.transport, seen.family, {to.destination, to.source},
           quote.has_ports);
  if (seen.is_v4()) {
    fix_ipv4(out.frame, seen.network);
    out.either_zero.push_back(seen.network + 10);
    follow(out.frame, quote.network + 10, ones_sum(frame, quote.network + 12, quote.network + 20),
           ones_sum(out.frame, quote.network + 12, quote.network + 20), false);
    out.either_zero.push_back(quote.network + 10);
  }
  if (quote.has_ports) {
    const bool tcp = quote.protocol == kProtocolTcp;
    const size_t field = quote.transport + (tcp ? 16 : 6);
    if (field + 2 <= quoted_end(frame, seen)) {
      follow(out.frame, field, quoted_before, ends_sum(out.frame, quote, seen.family), !tcp);
      if (tcp) {
        out.either_zero.push_back(field);
      }
    }
  }
  put16(out.frame, seen.transport + 2, 0);
  uint16_t sum = ones_sum(out.frame, seen.transport, seen.end);
  if (!seen.is_v4()) {
    sum =
        ones_add(sum, pseudo_sum(get_address(out.frame, seen.network + 8, Family::kIpv6),
                                 get_address(out.frame, seen.network + 24, Family::kIpv6),
                                 kProtocolIcmpv6, static_cast<uint32_t>(seen.transport_length())));
  }
  put16(out.frame, seen.transport + 2, complement(sum));
  out.either_zero.push_back(seen.transport + 2);
  return out;
}

size_t tunnel_overhead(Wrapping wrapping, Family outer) {
  switch (wrapping) {
    case Wrapping::kIpip:
      return ip_header_length(outer);
    case Wrapping::kGre:
      return ip_header_length(outer) + 4;
    case Wrapping::kGue:
      return ip_header_length(outer) + 12;
  }
  return 0;
}

namespace {

uint8_t outer_protocol(Wrapping wrapping, uint8_t inner) {
  switch (wrapping) {
    case Wrapping::kIpip:
      return inner;
    case Wrapping::kGre:
      return kProtocolGre;
    case Wrapping::kGue:
      return kProtocolUdp;
  }
  return inner;
}

}  // namespace

bool is_damaged(const Bytes& frame, const Dissection& seen) {
  if (seen.sort != Sort::kTransport || seen.is_fragment()) {
    return false;
  }
  const size_t field = checksum_field(seen);
  const uint16_t checksum = get16(frame, field);
  if (seen.protocol == kProtocolUdp &&
      (checksum == 0 || get16(frame, seen.transport + 4) != seen.transport_length())) {
    return false;
  }
  return ones_add(covered_sum(frame, seen, field), checksum) != 0xffff;
}

Written wrap(const Bytes& frame, const Dissection& seen, const Outer& outer) {
  Written out;
  const Family family = outer.destination.family();
  const bool v4 = family == Family::kIpv4;
  const uint8_t inner = seen.is_v4() ? kProtocolIpip : kProtocolIpv6;
  const size_t shim = tunnel_overhead(outer.wrapping, family) - ip_header_length(family);
  const size_t length = shim + seen.length();
  out.frame.assign(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(seen.network));
  put16(out.frame, seen.network - 2, v4 ? 0x0800 : 0x86dd);
  append_ip(out.frame, outer.source, outer.destination, outer_protocol(outer.wrapping, inner),
            seen.tos, length);
  const bool may_fragment = outer.is_cut || (seen.is_v4() && !seen.dont_fragment);
  if (v4) {
    put16(out.frame, seen.network + 4, may_fragment ? outer.identification : uint16_t{0});
    put16(out.frame, seen.network + 6, may_fragment ? 0 : 0x4000);
    out.frame[seen.network + 8] = outer.ttl;
    fix_ipv4(out.frame, seen.network);
    out.either_zero.push_back(seen.network + 10);
  } else {
    put32(out.frame, seen.network, get32(out.frame, seen.network) | outer.flow_label);
    out.frame[seen.network + 7] = outer.ttl;
  }
  const size_t at = out.frame.size();
  out.frame.resize(at + shim);
  if (outer.wrapping == Wrapping::kGre) {
    put16(out.frame, at + 2, seen.is_v4() ? 0x0800 : 0x86dd);
  } else if (outer.wrapping == Wrapping::kGue) {
    put16(out.frame, at, outer.source_port);
    put16(out.frame, at + 2, outer.gue_port);
    put16(out.frame, at + 4, static_cast<uint16_t>(length));
    out.frame[at + 9] = inner;
  }
  out.frame.insert(out.frame.end(), frame.begin() + static_cast<std::ptrdiff_t>(seen.network),
                   frame.begin() + static_cast<std::ptrdiff_t>(seen.end));
  if (outer.wrapping == Wrapping::kGue && !v4) {
    const uint16_t sum = ones_add(
        pseudo_sum(outer.source, outer.destination, kProtocolUdp, static_cast<uint32_t>(length)),
        ones_sum(out.frame, at, out.frame.size()));
    const uint16_t checksum = complement(sum);
    put16(out.frame, at + 6, checksum == 0 ? uint16_t{0xffff} : checksum);
  }
  return out;
}

Written clamp(const Bytes& frame, const Dissection& seen, uint16_t maximum) {
  Written out{frame, {}};
  if (seen.sort != Sort::kTransport || seen.protocol != kProtocolTcp ||
      (seen.tcp_flags & kFlagSyn) == 0) {
    return out;
  }
  const size_t end = seen.transport + size_t{frame[seen.transport + 12]} / 16 * 4;
  size_t at = seen.transport + 20;
  bool lowered = false;
  while (at < end && frame[at] != 0) {
    if (frame[at] == 1) {
      ++at;
      continue;
    }
    if (end - at < 2 || frame[at + 1] < 2 || frame[at + 1] > end - at) {
      break;
    }
    if (frame[at] == 2 && frame[at + 1] == 4 && get16(frame, at + 2) > maximum) {
      put16(out.frame, at + 2, maximum);
      lowered = true;
    }
    at += frame[at + 1];
  }
  if (lowered) {
    const size_t field = checksum_field(seen);
    follow(out.frame, field, covered_sum(frame, seen, field), covered_sum(out.frame, seen, field),
           false);
    out.either_zero.push_back(field);
  }
  return out;
}

// RFC 9293 section 3.10.7.1.
Bytes reset_for(const Bytes& frame, const Dissection& seen, const MacAddress& mac) {
  Bytes out = ethernet_back(frame, seen, mac);
  append_ip(out, seen.destination, seen.source, kProtocolTcp, 0, 20);
  const size_t at = out.size();
  out.resize(at + 20);
  put16(out, at, seen.destination_port);
  put16(out, at + 2, seen.source_port);
  out[at + 12] = 0x50;
  if ((seen.tcp_flags & kFlagAck) != 0) {
    put32(out, at + 4, seen.acknowledgement);
    out[at + 13] = kFlagRst;
  } else {
    const uint32_t length = static_cast<uint32_t>(seen.payload) +
                            ((seen.tcp_flags & kFlagSyn) != 0 ? 1U : 0U) +
                            ((seen.tcp_flags & kFlagFin) != 0 ? 1U : 0U);
    put32(out, at + 8, seen.sequence + length);
    out[at + 13] = kFlagRst | kFlagAck;
  }
  put16(out, at + 16,
        complement(ones_add(pseudo_sum(seen.destination, seen.source, kProtocolTcp, 20),
                            ones_sum(out, at, at + 20))));
  return out;
}

// RFC 792 and RFC 1812 section 4.3.2.3 (576 bytes), RFC 4443 section 2.4 (c) (1280 bytes).
Bytes error_about(const Bytes& frame, const Dissection& seen, uint8_t type, uint8_t code,
                  uint16_t mtu, const IpAddress& source, const MacAddress& mac) {
  const size_t headers = ip_header_length(seen.family) + 8;
  const size_t quoted = std::min(seen.length(), (seen.is_v4() ? 576 : 1280) - headers);
  Bytes out = ethernet_back(frame, seen, mac);
  const uint8_t protocol = seen.is_v4() ? kProtocolIcmp : kProtocolIcmpv6;
  append_ip(out, source, seen.source, protocol, 0xc0, 8 + quoted);
  const size_t at = out.size();
  out.resize(at + 8);
  out[at] = type;
  out[at + 1] = code;
  put16(out, at + 6, mtu);
  out.insert(out.end(), frame.begin() + static_cast<std::ptrdiff_t>(seen.network),
             frame.begin() + static_cast<std::ptrdiff_t>(seen.network + quoted));
  uint16_t sum = ones_sum(out, at, out.size());
  if (!seen.is_v4()) {
    sum =
        ones_add(sum, pseudo_sum(source, seen.source, protocol, static_cast<uint32_t>(8 + quoted)));
  }
  put16(out, at + 2, complement(sum));
  return out;
}

// RFC 792, RFC 4443 section 4.2: as it came, turned around. IPv4 keeps its options.
Written echo_reply_to(const Bytes& frame, const Dissection& seen) {
  Written out;
  if (seen.is_v4()) {
    out.frame.assign(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(seen.end));
    put_address(out.frame, seen.network + 12, seen.destination);
    put_address(out.frame, seen.network + 16, seen.source);
    out.frame[seen.network + 8] = 64;
    fix_ipv4(out.frame, seen.network);
    out.either_zero.push_back(seen.network + 10);
    out.frame[seen.transport] = 0;
    put16(out.frame, seen.transport + 2, 0);
    put16(out.frame, seen.transport + 2,
          complement(ones_sum(out.frame, seen.transport, out.frame.size())));
    out.either_zero.push_back(seen.transport + 2);
  } else {
    out.frame.assign(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(seen.network));
    append_ip(out.frame, seen.destination, seen.source, kProtocolIcmpv6, seen.tos,
              seen.transport_length());
    const size_t at = out.frame.size();
    out.frame.insert(out.frame.end(), frame.begin() + static_cast<std::ptrdiff_t>(seen.transport),
                     frame.begin() + static_cast<std::ptrdiff_t>(seen.end));
    out.frame[at] = 129;
    put16(out.frame, at + 2, 0);
    put16(out.frame, at + 2,
          complement(ones_add(pseudo_sum(seen.destination, seen.source, kProtocolIcmpv6,
                                         static_cast<uint32_t>(seen.transport_length())),
                              ones_sum(out.frame, at, out.frame.size()))));
    out.either_zero.push_back(at + 2);
  }
  put_mac(out.frame, 0, get_mac(frame, 6));
  put_mac(out.frame, 6, get_mac(frame, 0));
  return out;
}

Bytes arp_reply_to(const Bytes& frame, const Dissection& seen, const MacAddress& mac) {
  const size_t at = seen.network;
  Bytes out(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(at + 28));
  put_mac(out, 0, get_mac(frame, at + 8));
  put_mac(out, 6, mac);
  put16(out, at + 6, 2);
  put_mac(out, at + 8, mac);
  put_address(out, at + 14, seen.destination);
  put_mac(out, at + 18, get_mac(frame, at + 8));
  put_address(out, at + 24, seen.source);
  return out;
}

// RFC 4861 section 7.2.4. The model's solicitations carry their sender's MAC in their first option,
// or none at all.
Bytes advertisement_for(const Bytes& frame, const Dissection& seen, const MacAddress& mac,
                        bool router) {
  const bool has_option = seen.transport_length() >= 32 && frame[seen.transport + 24] == 1;
  Bytes out = ethernet_back(frame, seen, mac);
  put_mac(out, 0, get_mac(frame, has_option ? seen.transport + 26 : 6));
  const IpAddress target = get_address(frame, seen.transport + 8, Family::kIpv6);
  append_ip(out, target, seen.source, kProtocolIcmpv6, 0, 32);
  const size_t at = out.size();
  out[at - 33] = 255;
  out.resize(at + 32);
  out[at] = 136;
  out[at + 4] = static_cast<uint8_t>((router ? 0x80 : 0) | 0x40 | 0x20);
  put_address(out, at + 8, target);
  out[at + 24] = 2;
  out[at + 25] = 1;
  put_mac(out, at + 26, mac);
  put16(out, at + 2,
        complement(ones_add(pseudo_sum(target, seen.source, kProtocolIcmpv6, 32),
                            ones_sum(out, at, at + 32))));
  return out;
}

namespace {

bool sort_may_be_answered(const Dissection& seen) {
  switch (seen.sort) {
    case Sort::kTransport:
      return seen.protocol != kProtocolTcp || (seen.tcp_flags & kFlagRst) == 0;
    case Sort::kEchoRequest:
    case Sort::kOtherIp:
      return true;
    case Sort::kIcmpOther:
      return seen.is_v4() ? seen.icmp_type == 0 || seen.icmp_type == 13 || seen.icmp_type == 14
                          : seen.icmp_type >= 128;
    default:
      return false;
  }
}

}  // namespace

bool may_be_answered(const Bytes& frame, const Dissection& seen) {
  const MacAddress sender = get_mac(frame, 6);
  const IpAddress& source = seen.source;
  const bool one_host =
      !source.is_unspecified() && !source.is_multicast() && !source.is_broadcast() &&
      !source.is_loopback() &&
      (source.is_v6() || (source.v4_bytes()[0] != 0 && source.v4_bytes()[0] < 240));
  return sort_may_be_answered(seen) && one_host && !get_mac(frame, 0).is_multicast() &&
         !sender.is_multicast() && !sender.is_zero() && !seen.destination.is_multicast() &&
         !seen.destination.is_broadcast();
}

}  // namespace ballast::model
